/* libmoert: runs models that moec compiled.
 *
 *     moert_model *model;
 *     if (moert_open("bundle-folder", NULL, &model)) puts(moert_last_error());
 *
 * Status. Every function that can fail returns a moert_status; 0 is success.
 * On failure outputs are untouched unless said otherwise, and
 * moert_last_error() has the text.
 *
 * Loading. moert_open reads the bundle and loads its kernels; the weights go to
 * the device with the first session, when all that must fit is known.
 *
 * Ownership. What moert_open and *_create give belongs to the caller
 * and goes back through the matching destroy or close. Pointers that other
 * functions hand out belong to the handle they came from and live as long as
 * the text beside them says. A model outlives its sessions.
 *
 * Threads. A model may be used by many threads. A session or a sampler is used
 * by one thread at a time. Sessions of one model share its worker threads and
 * take turns.
 *
 * A bundle holds machine code: open only bundles whose origin you trust. */
#ifndef MOERT_H
#define MOERT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum moert_status {
  MOERT_OK = 0,
  MOERT_ERROR_ARGUMENT = 1, /* the call asks for something impossible */
  MOERT_ERROR_BUNDLE = 2,   /* the bundle is damaged or inconsistent */
  MOERT_ERROR_TARGET = 3,   /* the bundle is for another machine */
  MOERT_ERROR_CAPACITY = 4, /* no room: context, batch, cache, buffer, memory */
  MOERT_ERROR_IO = 5,       /* a file could not be read */
  MOERT_ERROR_INTERNAL = 6  /* a fault of this library */
} moert_status;

typedef struct moert_model moert_model;
typedef struct moert_session moert_session;
typedef struct moert_sampler moert_sampler;

/* The text of the calling thread's last failure; "" before the first. Valid
 * until the thread's next failure. */
const char *moert_last_error(void);

/* ---- models ---- */

typedef struct moert_open_params {
  uint32_t threads;      /* worker threads; 0: one per CPU of this process */
  int skip_weight_check; /* nonzero: leave out the weights' checksums */
  int describe_only;     /* nonzero: no sessions; works for any target */
  uint32_t device;       /* which GPU, of those that the driver shows */
  int launch_by_launch;  /* nonzero: wait after each kernel, so that a failing one is named */
} moert_open_params;

/* `path`: a .moeb file or a folder with rank-0.moeb. `params` may be NULL. */
moert_status moert_open(const char *path, const moert_open_params *params, moert_model **model);
/* NULL is allowed. Every session of the model must be gone. */
void moert_close(moert_model *model);

/* What the bundle is, as a JSON object. Lives as long as the model. */
const char *moert_describe(const moert_model *model);
uint32_t moert_vocab_size(const moert_model *model);
uint32_t moert_max_context(const moert_model *model);
uint32_t moert_max_batch(const moert_model *model);
/* Token ids that end a generation. Lives as long as the model. */
const int32_t *moert_stop_tokens(const moert_model *model, size_t *count);

/* ---- text ---- */

/* Token ids of UTF-8 text. `add_special`: put the BOS token in front where the
 * tokenizer asks for it. Stores the number of ids in *count; when it exceeds
 * `capacity`, stores no ids and returns MOERT_ERROR_CAPACITY. */
moert_status moert_tokenize(const moert_model *model, const char *text, size_t bytes,
                            int add_special, int32_t *ids, size_t capacity, size_t *count);
/* UTF-8 text of token ids, not terminated. Stores its length in *bytes; when
 * it exceeds `capacity`, stores no text and returns MOERT_ERROR_CAPACITY. */
moert_status moert_detokenize(const moert_model *model, const int32_t *ids, size_t count,
                              int skip_special, char *text, size_t capacity, size_t *bytes);

typedef struct moert_chat_message { /* UTF-8, terminated */
  const char *role;                 /* "system", "user", "assistant" */
  const char *content;              /* of an assistant that reasoned: its answer alone */
  const char *reasoning;            /* what an assistant thought before it; NULL: nothing */
} moert_chat_message;

typedef struct moert_chat_params {
  int keep_turn_closed; /* nonzero: the prompt does not begin the assistant's turn */
  int thinking;         /* 0: as the template has it; 1: on; -1: off, where it can */
} moert_chat_params;

/* The prompt for a conversation by the model's chat template, not terminated;
 * tokenize it without add_special. `params` may be NULL. Stores its length in
 * *bytes; when it exceeds `capacity`, stores no text and returns
 * MOERT_ERROR_CAPACITY. *opens_reasoning (may be NULL) tells whether the prompt
 * ends inside "<think>", so that the answer begins with reasoning. */
moert_status moert_render_chat(const moert_model *model, const moert_chat_message *messages,
                               size_t count, const moert_chat_params *params, char *text,
                               size_t capacity, size_t *bytes, int *opens_reasoning);

/* ---- sessions ---- */

typedef struct moert_session_params {
  uint32_t max_sequences; /* 0: the bundle's max_batch */
  uint64_t cache_tokens;  /* tokens the KV cache holds; 0: max_sequences * max_context */
} moert_session_params;

/* `params` may be NULL. */
moert_status moert_session_create(moert_model *model, const moert_session_params *params,
                                  moert_session **session);
void moert_session_destroy(moert_session *session); /* NULL is allowed */

moert_status moert_sequence_add(moert_session *session, int32_t *sequence);
moert_status moert_sequence_remove(moert_session *session, int32_t sequence);
/* Tokens that the sequence holds. */
moert_status moert_sequence_length(const moert_session *session, int32_t sequence,
                                   uint32_t *length);

typedef struct moert_feed {
  int32_t sequence;
  const int32_t *tokens;
  size_t count; /* at least 1 */
} moert_feed;

/* Appends tokens to `count` different sequences. logits[i] receives a pointer
 * to the [vocab_size] float32 logits after the last token of feeds[i], valid
 * until the session's next call. Arguments are checked first: a failure with
 * MOERT_ERROR_ARGUMENT or MOERT_ERROR_CAPACITY changed nothing. */
moert_status moert_step(moert_session *session, const moert_feed *feeds, size_t count,
                        const float **logits);

/* ---- sampling ---- */

typedef struct moert_sampler_params {
  double temperature; /* 0: greedy, the lower id on a tie */
  uint32_t top_k;     /* 0: all */
  double top_p;       /* (0, 1]; 0 means 1 */
  uint64_t seed;
} moert_sampler_params;

/* `params` may be NULL: greedy. */
moert_status moert_sampler_create(const moert_sampler_params *params, moert_sampler **sampler);
void moert_sampler_destroy(moert_sampler *sampler); /* NULL is allowed */
moert_status moert_sample(moert_sampler *sampler, const float *logits, uint32_t vocab_size,
                          int32_t *token);

/* moert_step and moert_sample in one, each feed with its sampler (they must differ):
 * the same tokens, but bundles that choose tokens themselves keep the logits on
 * the device. After a failure samplers may have drawn a number. */
moert_status moert_step_tokens(moert_session *session, const moert_feed *feeds, size_t count,
                               moert_sampler *const *samplers, int32_t *tokens);

#ifdef __cplusplus
}
#endif
#endif

// The C API: handles around the C++ classes, exceptions turned into statuses.
#include "runtime/core/moert.h"

#include "runtime/bundle/Error.h"
#include "runtime/core/ModelText.h"
#include "runtime/core/Sampler.h"
#include "runtime/core/Session.h"
#include "runtime/text/Reasoning.h"

#include <algorithm>
#include <mutex>
#include <new>

using namespace moec::rt;

struct moert_model {
  moert_model(const char *path, const ModelOptions &options)
      : model(path, options), description(describeJson(model.bundle())) {}
  Model model;
  std::string description;
  // The tokenizer is read when it is first wanted.
  mutable std::mutex mutex;
  mutable std::optional<ModelText> lazyText;

  const ModelText &text() const {
    std::lock_guard lock(mutex);
    if (!lazyText)
      lazyText.emplace(model.bundle());
    return *lazyText;
  }
};

struct moert_session {
  Session session;
};

struct moert_sampler {
  Sampler sampler;
};

namespace {

thread_local std::string lastError;

moert_status statusOf(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::Argument:
    return MOERT_ERROR_ARGUMENT;
  case ErrorKind::Bundle:
    return MOERT_ERROR_BUNDLE;
  case ErrorKind::Target:
    return MOERT_ERROR_TARGET;
  case ErrorKind::Capacity:
    return MOERT_ERROR_CAPACITY;
  case ErrorKind::Io:
    return MOERT_ERROR_IO;
  case ErrorKind::Internal:
    break;
  }
  return MOERT_ERROR_INTERNAL;
}

template <typename F> moert_status guarded(F &&f) {
  try {
    f();
    return MOERT_OK;
  } catch (const Error &error) {
    lastError = error.what();
    return statusOf(error.kind);
  } catch (const std::bad_alloc &) {
    lastError = "out of memory";
    return MOERT_ERROR_CAPACITY;
  } catch (const std::exception &error) {
    lastError = error.what();
    return MOERT_ERROR_INTERNAL;
  }
}

template <typename T> void need(T *pointer, const char *name) {
  if (!pointer)
    fail(ErrorKind::Argument, name, " is NULL");
}

/// Copies `values` out, or says how much room they need.
template <typename T, typename Values>
void store(const Values &values, T *out, size_t capacity, size_t *count) {
  need(count, "the count");
  *count = values.size();
  if (values.size() > capacity)
    fail(ErrorKind::Capacity, "the buffer holds ", capacity, " elements, ", values.size(),
         " are needed");
  if (!values.empty())
    need(out, "the buffer");
  std::copy(values.begin(), values.end(), out);
}

std::vector<text::ChatMessage> chatMessages(const moert_chat_message *messages, size_t count) {
  std::vector<text::ChatMessage> list;
  for (size_t i = 0; i < count; ++i) {
    need(messages[i].role, "a message's role");
    need(messages[i].content, "a message's content");
    list.push_back({messages[i].role, messages[i].content});
    if (messages[i].reasoning)
      list.back().reasoning = messages[i].reasoning;
  }
  return list;
}

std::vector<Feed> listFeeds(const moert_feed *feeds, size_t count) {
  std::vector<Feed> list;
  for (size_t i = 0; i < count; ++i) {
    if (feeds[i].count)
      need(feeds[i].tokens, "tokens");
    list.push_back({feeds[i].sequence, {feeds[i].tokens, feeds[i].count}});
  }
  return list;
}

} // namespace

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): parameters are named as in moert.h

const char *moert_last_error(void) { return lastError.c_str(); }

moert_status moert_open(const char *path, const moert_open_params *params, moert_model **model) {
  return guarded([&] {
    need(path, "path");
    need(model, "model");
    ModelOptions options;
    if (params) {
      options.device.threads = params->threads;
      options.device.index = params->device;
      options.device.launchByLaunch = params->launch_by_launch;
      options.verifyWeights = !params->skip_weight_check;
      options.describeOnly = params->describe_only;
    }
    *model = new moert_model(path, options);
  });
}

void moert_close(moert_model *model) { delete model; }

const char *moert_describe(const moert_model *model) { return model->description.c_str(); }
uint32_t moert_vocab_size(const moert_model *model) { return model->model.vocabSize(); }
uint32_t moert_max_context(const moert_model *model) { return model->model.maxContext(); }
uint32_t moert_max_batch(const moert_model *model) { return model->model.manifest().max_batch(); }

const int32_t *moert_stop_tokens(const moert_model *model, size_t *count) {
  *count = model->model.stopTokens().size();
  return model->model.stopTokens().data();
}

moert_status moert_tokenize(const moert_model *model, const char *text, size_t bytes,
                            int add_special, int32_t *ids, size_t capacity, size_t *count) {
  return guarded([&] {
    need(model, "model");
    if (bytes)
      need(text, "text");
    store(model->text().encode({text, bytes}, add_special), ids, capacity, count);
  });
}

moert_status moert_detokenize(const moert_model *model, const int32_t *ids, size_t count,
                              int skip_special, char *text, size_t capacity, size_t *bytes) {
  return guarded([&] {
    need(model, "model");
    if (count)
      need(ids, "ids");
    std::string out =
        model->text().tokenizer().decode(std::vector<int32_t>(ids, ids + count), skip_special);
    store(out, text, capacity, bytes);
  });
}

moert_status moert_render_chat(const moert_model *model, const moert_chat_message *messages,
                               size_t count, const moert_chat_params *params, char *text,
                               size_t capacity, size_t *bytes, int *opens_reasoning) {
  return guarded([&] {
    need(model, "model");
    if (count)
      need(messages, "messages");
    moec::rt::text::RenderOptions options;
    if (params) {
      options.addGenerationPrompt = !params->keep_turn_closed;
      if (params->thinking)
        options.thinking = params->thinking > 0;
    }
    std::string prompt = model->text().renderChat(chatMessages(messages, count), options);
    store(prompt, text, capacity, bytes);
    if (opens_reasoning)
      *opens_reasoning = moec::rt::text::ReasoningSplitter::promptOpensReasoning(prompt);
  });
}

moert_status moert_session_create(moert_model *model, const moert_session_params *params,
                                  moert_session **session) {
  return guarded([&] {
    need(model, "model");
    need(session, "session");
    SessionOptions options;
    if (params) {
      options.maxSequences = params->max_sequences;
      options.cacheTokens = params->cache_tokens;
    }
    *session = new moert_session{Session(model->model, options)};
  });
}

void moert_session_destroy(moert_session *session) { delete session; }

moert_status moert_sequence_add(moert_session *session, int32_t *sequence) {
  return guarded([&] {
    need(session, "session");
    need(sequence, "sequence");
    *sequence = session->session.addSequence();
  });
}

moert_status moert_sequence_remove(moert_session *session, int32_t sequence) {
  return guarded([&] {
    need(session, "session");
    session->session.removeSequence(sequence);
  });
}

moert_status moert_sequence_length(const moert_session *session, int32_t sequence,
                                   uint32_t *length) {
  return guarded([&] {
    need(session, "session");
    need(length, "length");
    *length = session->session.length(sequence);
  });
}

moert_status moert_step(moert_session *session, const moert_feed *feeds, size_t count,
                        const float **logits) {
  return guarded([&] {
    need(session, "session");
    if (!count)
      return;
    need(feeds, "feeds");
    need(logits, "logits");
    std::vector<const float *> rows = session->session.step(listFeeds(feeds, count));
    std::copy(rows.begin(), rows.end(), logits);
  });
}

moert_status moert_sampler_create(const moert_sampler_params *params, moert_sampler **sampler) {
  return guarded([&] {
    need(sampler, "sampler");
    SamplerOptions options;
    if (params)
      options = {params->temperature, params->top_k, params->top_p == 0 ? 1 : params->top_p,
                 params->seed};
    *sampler = new moert_sampler{Sampler(options)};
  });
}

void moert_sampler_destroy(moert_sampler *sampler) { delete sampler; }

moert_status moert_sample(moert_sampler *sampler, const float *logits, uint32_t vocab_size,
                          int32_t *token) {
  return guarded([&] {
    need(sampler, "sampler");
    need(logits, "logits");
    need(token, "token");
    *token = sampler->sampler.sample({logits, vocab_size});
  });
}

moert_status moert_step_tokens(moert_session *session, const moert_feed *feeds, size_t count,
                               moert_sampler *const *samplers, int32_t *tokens) {
  return guarded([&] {
    need(session, "session");
    if (!count)
      return;
    need(feeds, "feeds");
    need(samplers, "samplers");
    need(tokens, "tokens");
    std::vector<Sampler *> list;
    for (size_t i = 0; i < count; ++i) {
      need(samplers[i], "a sampler");
      list.push_back(&samplers[i]->sampler);
    }
    std::vector<int32_t> ids = session->session.stepTokens(listFeeds(feeds, count), list);
    std::copy(ids.begin(), ids.end(), tokens);
  });
}

// NOLINTEND(readability-identifier-naming)
} // extern "C"

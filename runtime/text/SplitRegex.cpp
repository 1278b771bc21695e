#include "runtime/text/SplitRegex.h"
#include "runtime/text/RegexDialect.h"
#include "runtime/text/TextError.h"
#include "runtime/text/Utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>
#include <optional>

namespace moec::rt::text {

namespace {

// Backtracking steps of one match call: at least a million, and enough for a
// pattern that walks the whole text a few times.
constexpr uint32_t minMatchLimit = 1000000;
constexpr uint32_t maxMatchLimit = 200000000;
constexpr size_t jitStackBytes = 1 << 20;
constexpr uint32_t heapLimitKiB = 256 * 1024;

std::string pcre2Message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char *>(buffer);
}

struct Deleter {
  void operator()(pcre2_compile_context *p) const { pcre2_compile_context_free(p); }
  void operator()(pcre2_match_context *p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_match_data *p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_jit_stack *p) const { pcre2_jit_stack_free(p); }
};
template <typename T> using Owned = std::unique_ptr<T, Deleter>;

// What one thread needs to match; made per split() call.
struct Matcher {
  Owned<pcre2_match_data> data;
  Owned<pcre2_match_context> context;
  Owned<pcre2_jit_stack> stack;

  Matcher(const pcre2_code *code, size_t textBytes) {
    data.reset(pcre2_match_data_create_from_pattern(code, nullptr));
    context.reset(pcre2_match_context_create(nullptr));
    if (!data || !context)
      throw std::bad_alloc();
    uint64_t limit = minMatchLimit + 16 * uint64_t(textBytes);
    pcre2_set_match_limit(context.get(),
                          static_cast<uint32_t>(std::min<uint64_t>(limit, maxMatchLimit)));
    pcre2_set_heap_limit(context.get(), heapLimitKiB);
    if (textBytes > 4096) { // short texts fit in the machine stack's 32 KiB
      stack.reset(pcre2_jit_stack_create(32 * 1024, jitStackBytes, nullptr));
      pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }
  }
};

} // namespace

RegexBudget::RegexBudget(size_t textBytes)
    : deadline(std::chrono::steady_clock::now() + std::chrono::seconds(10) +
               std::chrono::microseconds(10 * textBytes)) {}

void RegexBudget::check(const std::string &where) const {
  if (std::chrono::steady_clock::now() > deadline)
    throw TextError(where + ": the pattern takes too long on this text; it "
                            "backtracks too much to be a tokenizer's");
}

struct SplitRegex::Compiled {
  pcre2_code *code = nullptr;
  ~Compiled() { pcre2_code_free(code); }

  // The next match at or after `from`, as [begin, end).
  std::optional<std::pair<size_t, size_t>> next(std::string_view text, size_t from,
                                                Matcher &matcher, const std::string &where) const {
    auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    uint32_t options = PCRE2_NO_UTF_CHECK;
    int rc = pcre2_match(code, subject, text.size(), from, options, matcher.data.get(),
                         matcher.context.get());
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
      rc = pcre2_match(code, subject, text.size(), from, options | PCRE2_NO_JIT, matcher.data.get(),
                       matcher.context.get());
    if (rc == PCRE2_ERROR_NOMATCH)
      return std::nullopt;
    if (rc < 0)
      throw TextError(where + ": the pattern gave up at byte " + std::to_string(from) + " of " +
                      std::to_string(text.size()) + ": " + pcre2Message(rc));
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(matcher.data.get());
    return std::make_pair(size_t(span[0]), size_t(span[1]));
  }
};

SplitRegex::SplitRegex(std::string_view pattern, std::string whereArg)
    : compiled(std::make_unique<Compiled>()), where(std::move(whereArg)) {
  requireUtf8(pattern, where);
  std::string translated = pcre2FromOniguruma(pattern, where);
  Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 50);
  // Ruby's ^ and $ mean lines.
  uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 options, &error, &offset, context.get());
  if (!compiled->code)
    throw TextError(where + ": not a usable regex: " + pcre2Message(error) + " (near byte " +
                    std::to_string(offset) + " of '" + translated + "')");
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE); // without it: slower
}

SplitRegex::~SplitRegex() = default;
SplitRegex::SplitRegex(SplitRegex &&) noexcept = default;
SplitRegex &SplitRegex::operator=(SplitRegex &&) noexcept = default;

void SplitRegex::split(std::string_view text, std::vector<std::string_view> &pieces,
                       const RegexBudget &budget) const {
  Matcher matcher(compiled->code, text.size());
  auto emit = [&](size_t begin, size_t end) {
    if (begin < end)
      pieces.push_back(text.substr(begin, end - begin));
  };
  size_t done = 0, from = 0;
  size_t lastMatchEnd = std::string_view::npos;
  for (unsigned calls = 0; from <= text.size(); ++calls) {
    if (calls % 64 == 0)
      budget.check(where);
    auto match = compiled->next(text, from, matcher, where);
    if (!match)
      break;
    auto [begin, end] = *match;
    if (begin == end && end == lastMatchEnd) {
      // An empty match right after a match does not count: step on by one.
      from = end < text.size() ? end + utf8Step(text.substr(end)).length : text.size() + 1;
      continue;
    }
    emit(done, begin);
    emit(begin, end);
    done = from = lastMatchEnd = end;
  }
  emit(done, text.size());
}

} // namespace moec::rt::text

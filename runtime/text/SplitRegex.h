// A compiled pattern that cuts text into pieces: every match is a piece and so
// is what lies between (Hugging Face's behavior "Isolated"). Matching is
// bounded: a pattern that backtracks without end is an error, not a hang.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moec::rt::text {

// Time that all regexes of one encode() may take together. Generous: real
// patterns need some 50 ms a MB.
class RegexBudget {
public:
  explicit RegexBudget(size_t textBytes);
  void check(const std::string &where) const; // throws TextError when spent

private:
  std::chrono::steady_clock::time_point deadline;
};

class SplitRegex {
public:
  // `pattern` in Oniguruma's syntax; `where` names it in errors.
  SplitRegex(std::string_view pattern, std::string where);
  ~SplitRegex();
  SplitRegex(SplitRegex &&) noexcept;
  SplitRegex &operator=(SplitRegex &&) noexcept;

  // Appends the non-empty pieces of `text` (valid UTF-8) in order. Anchors and
  // lookaround see nothing outside `text`. Safe to call from many threads.
  void split(std::string_view text, std::vector<std::string_view> &pieces,
             const RegexBudget &budget) const;

private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled;
  std::string where;
};

} // namespace moec::rt::text

#include "runtime/tools/moec-run/TextPrinter.h"

#include "runtime/bundle/Error.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace moec::rt {

void writeOut(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    fail(ErrorKind::Io, "cannot write to standard output: ", std::strerror(errno));
}

TextPrinter::TextPrinter(const text::Tokenizer &tokenizer, bool openedReasoning)
    : decoder(tokenizer, /*skipSpecial=*/true) {
  if (::isatty(STDOUT_FILENO))
    splitter.emplace(openedReasoning);
  else if (openedReasoning)
    writeOut("<think>\n");
}

void TextPrinter::push(int32_t token) { print(decoder.push(token)); }

void TextPrinter::print(const std::string &piece) {
  if (piece.empty())
    return;
  all += piece;
  if (splitter)
    show(splitter->push(piece));
  else
    writeOut(piece);
}

void TextPrinter::show(const text::ReasoningPiece &piece) {
  std::string out;
  if (!piece.reasoning.empty()) {
    if (!dim)
      out += "\033[2m";
    dim = reasoned = true;
    out += piece.reasoning;
  }
  if (dim && !splitter->inReasoning()) {
    out += "\033[0m";
    dim = false;
  }
  if (!piece.answer.empty()) {
    if (reasoned)
      out += "\n\n";
    reasoned = false;
    out += piece.answer;
  }
  writeOut(out);
}

void TextPrinter::finish() {
  print(decoder.finish());
  if (splitter)
    show(splitter->finish());
  writeOut(dim ? "\033[0m\n" : "\n");
}

} // namespace moec::rt

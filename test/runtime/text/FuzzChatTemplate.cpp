// Any bytes as a chat template, rendered over a short conversation: it must
// render or throw TextError, within its bounds.
#include "runtime/text/ChatTemplate.h"
#include "runtime/text/TextError.h"

#include <cstdint>

using namespace moec::rt::text;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    ChatTemplate chat = ChatTemplate::parse({reinterpret_cast<const char *>(data), size},
                                            {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    chat.render({{"system", "Be brief."},
                 {"user", "Hi é漢"},
                 {"assistant", "<think>a</think>\n b "},
                 {"user", "2+2?"},
                 {"assistant", "4", "two\nand two"}},
                {.addGenerationPrompt = true, .thinking = false, .now = 1767960000});
  } catch (const TextError &) {
  }
  return 0;
}

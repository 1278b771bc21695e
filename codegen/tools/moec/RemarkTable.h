// How a RemarkLog is shown: a table in which alike remarks of many layers and
// functions are one row, and how often each fusion fired; or JSON, remark by remark.
#pragma once

#include "codegen/tools/moec/RemarkLog.h"

namespace moec {

/// An optional pass, and whether the user left it out.
struct FusionSwitch {
  std::string name;
  bool disabled = false;
};

void printRemarkTable(const RemarkLog &log, llvm::ArrayRef<FusionSwitch> fusions,
                      llvm::raw_ostream &os);
void printRemarkJson(const RemarkLog &log, llvm::ArrayRef<FusionSwitch> fusions,
                     llvm::raw_ostream &os);

/// "0-2,5" of {0, 1, 2, 5}; the numbers ascend.
std::string rangesText(llvm::ArrayRef<int64_t> numbers);

/// "decode_1,2,4 prefill" of {"decode_1", "decode_2", "decode_4", "prefill"}.
std::string functionsText(std::vector<std::string> functions);

} // namespace moec

// The numbers of a machine that emitters turn into schedules. Emitters ask for
// these, never for a chip's name.
#pragma once

#include <cstdint>

namespace moec::codegen {

struct Machine {
  int64_t workers = 1;          // tiles that run at once
  int64_t vectorBytes = 32;     // widest vector register
  int64_t vectorRegisters = 16; // architectural vector registers
  int64_t level1Bytes = 32 << 10;
  int64_t level2Bytes = 512 << 10;
  bool hasByteDot = false;     // 8-bit integer dot product (VNNI)
  bool hasBFloat16Dot = false; // bf16 dot product into f32
  bool hasBytePermute = false; // byte permutation over a whole register (VBMI)
  int64_t gateRows = 0; // rows of gates packed in turn with what they gate; 0: all gates first

  /// f32 values in one vector register.
  int64_t floatLanes() const { return vectorBytes / 4; }
};

} // namespace moec::codegen

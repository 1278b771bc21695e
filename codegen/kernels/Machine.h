// The numbers of a machine that emitters turn into schedules. Emitters ask for
// these, never for a chip's name.
#pragma once

#include <cstdint>

namespace moec::codegen {

struct MatrixFragments;

struct Machine {
  int64_t workers = 1;                        // tiles that run at once
  int64_t threads = 1;                        // that may share a tile; 1: a tile is one thread's
  int64_t subgroup = 1;                       // of these, that exchange registers
  unsigned workspaceSpace = 0;                // address space of a tile's workspace
  int64_t workspaceBytes = 0;                 // that a tile may have; 0: any number
  const MatrixFragments *fragments = nullptr; // of the subgroup's matrix instructions; null: none
  int64_t vectorBytes = 32;                   // widest vector register, or access of a thread
  int64_t vectorRegisters = 16;               // architectural vector registers
  int64_t level1Bytes = 32 << 10;
  int64_t level2Bytes = 512 << 10;
  bool hasByteDot = false;     // 8-bit integer dot product (VNNI)
  bool hasBFloat16Dot = false; // bf16 dot product into f32
  bool hasBytePermute = false; // byte permutation over a whole register (VBMI)
  int64_t gateRows = 0; // rows of gates packed in turn with what they gate; 0: all gates first

  /// Whether several threads share a tile.
  bool hasTeams() const { return threads > 1; }
  /// f32 values in one vector register.
  int64_t floatLanes() const { return vectorBytes / 4; }
};

} // namespace moec::codegen

// Where the dims and inputs of a program lie in the one block that is copied to
// the device before it runs. The block table comes last because most of it is
// not in use: the copy ends with its last row. A program of entry "sample" has
// one input, which lies where others have the token ids.
#pragma once

#include "runtime/bundle/Format.h"
#include "runtime/device/Device.h"

#include <algorithm>

namespace moec::rt {

struct InputLayout {
  /// `width`: entries in a row of the block table.
  InputLayout(const fb::Program &program, uint32_t width) {
    using Kind = fb::InputKind;
    for (Kind kind :
         {Kind::TokenIds, Kind::Positions, Kind::SequenceIds, Kind::OutputRows, Kind::BlockTable}) {
      uint64_t count = program.max_tokens();
      if (kind == Kind::OutputRows)
        count = program.max_output_rows();
      if (kind == Kind::BlockTable)
        count = uint64_t(program.max_sequences()) * width;
      offsets[int(kind)] = bytes;
      bytes = (bytes + count * sizeof(int32_t) + kAlignment - 1) / kAlignment * kAlignment;
    }
    offsets[int(Kind::Sampling)] = kAlignment;
    bytes = std::max(bytes, kAlignment + program.max_output_rows() * kSamplingRowBytes);
  }
  uint64_t offset(fb::InputKind kind) const { return offsets[int(kind)]; }

  static constexpr uint64_t kAlignment = 256;
  static_assert(sizeof(Dims) <= kAlignment);
  uint64_t bytes = kAlignment; // the dims come first

private:
  uint64_t offsets[int(fb::InputKind::MAX) + 1];
};

} // namespace moec::rt

// Arguments for a function or kernel, drawn from a seed, that make sense together:
// sequences with earlier tokens in the cache, block tables that find them, ids
// in range, a permutation that belongs to a routing.
#pragma once

#include "dialects/reference/Interpreter.h"

namespace moec::reference {

/// The run-time sizes of a step.
struct InputDims {
  int64_t tokens = 5;
  int64_t sequences = 2;
  int64_t outputRows = 2;
  int64_t earlierTokens = -1; // of each sequence, in the cache; negative: a random number of each
  bool shapesOnly = false;    // floats have a shape and no elements
  /// All tokens choose expert 0, one token chooses expert 1, and none the last one, as far as there
  /// are more experts than choices.
  bool crowded = false;
};

/// What an argument is for is read from its `moe.input` attribute, otherwise from
/// how ops use it (through launches too); an argument that no op reads so gets random numbers, or
/// 0 and 1 if it is of integers. Static sizes win over `dims`; the row counts of
/// a kern.kernel's arguments come from its `rows`. Fails on types that cannot be interpreted.
llvm::Expected<Values> makeRandomInputs(mlir::FunctionOpInterface function, const InputDims &dims,
                                        uint64_t seed);

} // namespace moec::reference

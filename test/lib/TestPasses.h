// Registration of what only tests use.
#pragma once

#include "mlir/IR/DialectRegistry.h"

namespace moec::test {

/// The target "test": fuses everything, one schedule, a tile for each row. "test:<op>,<op>" refuses
/// the named moe ops ("test:add,linear") in every fusion.
void registerTestTarget(mlir::DialectRegistry &registry);

/// --test-print-rows: remarks with the row count and stride of every result.
void registerTestRowAnalysis();

} // namespace moec::test

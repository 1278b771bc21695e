// RUN: moec-opt %s --split-entries="max-context=8 decode-buckets=1" --split-input-file --verify-diagnostics
// RUN: not moec-opt %s --split-entries="max-context=8 max-sequences=0" --split-input-file 2>&1 | FileCheck %s --check-prefix=SEQUENCES
// RUN: not moec-opt %s --split-entries="max-context=8 prefill-buckets=0,4" --split-input-file 2>&1 | FileCheck %s --check-prefix=BUCKETS
// RUN: not moec-opt %s --split-entries="max-context=8 prefill-chunk=-4" --split-input-file 2>&1 | FileCheck %s --check-prefix=CHUNK
// RUN: not moec-opt %s --split-entries --split-input-file 2>&1 | FileCheck %s --check-prefix=CONTEXT

// SEQUENCES: max-sequences must be at least 1; got 0
// BUCKETS: token buckets must be at least 1; got 0
// CHUNK: prefill-chunk must be at least 1; got -4
// CONTEXT: split-entries needs a context length: set the option max-context or the module's moe.max_context

// expected-error @below {{split-entries found no function @forward to split}}
module {
}

// -----

func.func @forward() {
  return
}
// expected-error @below {{split-entries cannot make @decode_1: the name is taken}}
func.func @decode_1() {
  return
}

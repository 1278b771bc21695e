// RUN: moec-opt %s --set-activation-type=type=bf16 --split-input-file --verify-diagnostics
// RUN: not moec-opt %s --set-activation-type=type=f16 --split-input-file 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not moec-opt %s --set-activation-type --split-input-file 2>&1 | FileCheck %s --check-prefix=TARGET

// TYPE: the activations' element type must be f32 or bf16; got 'f16'
// TARGET: kern.target

func.func @no_group(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'moe.add' stands outside a group; run group-remaining before set-activation-type}}
  %0 = moe.add %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

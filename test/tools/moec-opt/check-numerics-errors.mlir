// RUN: not moec-opt %s --cse --check-numerics --numerics-dims=tokens=0 2>&1 | FileCheck %s --check-prefix=RANGE
// RANGE: error: --numerics-dims: size 'tokens=0' must be from 1 to 4096
// RUN: not moec-opt %s --cse --check-numerics --numerics-dims=pages=3 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: --numerics-dims: unknown size 'pages'; known: tokens, sequences, output_rows
// RUN: not moec-opt %s.none --cse --check-numerics 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: error: cannot open input file
// RUN: not moec-opt %s --cse --check-numerics --numerics-tolerance=1e-9,cse=much 2>&1 | FileCheck %s --check-prefix=TOLERANCE
// TOLERANCE: error: --numerics-tolerance: 'cse=much' is neither a tolerance nor <pass>=<tolerance>
// RUN: not moec-opt %s --cse --check-numerics --numerics-strict -o %t.none 2>&1 | FileCheck %s --check-prefix=STRICT
// STRICT: numerics: cse: @calls is not comparable: {{.*}}, which strictness forbids
// RUN: not test -e %t.none
// RUN: moec-opt %s --cse --check-numerics -o /dev/null 2>&1 | FileCheck %s
// CHECK: numerics: cse: @calls is not comparable: 'func.call': only ops of moe and kern can be interpreted

func.func private @g() -> tensor<?x4xf32>

func.func @calls(%x: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %0 = func.call @g() : () -> tensor<?x4xf32>
  %1 = moe.add %0, %x : tensor<?x4xf32>
  %2 = moe.add %0, %x : tensor<?x4xf32>
  return %1, %2 : tensor<?x4xf32>, tensor<?x4xf32>
}

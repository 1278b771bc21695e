module attributes {kern.target = "test"} {
  func.func @ffn(%x: tensor<?x8xf32>, %g: tensor<12x8xf32>, %u: tensor<12x8xf32>, %d: tensor<8x12xf32>) -> tensor<?x8xf32> {
    %gate = moe.linear %x, %g : (tensor<?x8xf32>, tensor<12x8xf32>) -> tensor<?x12xf32>
    %up = moe.linear %x, %u : (tensor<?x8xf32>, tensor<12x8xf32>) -> tensor<?x12xf32>
    %act = moe.swiglu %gate, %up : tensor<?x12xf32>
    %y = moe.linear %act, %d : (tensor<?x12xf32>, tensor<8x12xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
}

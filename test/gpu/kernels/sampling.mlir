// RUN: pack-kernels sm_90a %t --tokens 1,3 %s
// RUN: moec verify %t/package.moeb
// Tokens from the logits of published vocabularies, and of one that ends inside a chunk.
kern.kernel @maxima_1000(%l: tensor<?x1000xf32>) -> tensor<?x8xf32> attributes {hero = #kern.hero<rows>,
    rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 1000, 8>} {
  %m = moe.chunk_maxima %l {chunk = 128 : i64} : (tensor<?x1000xf32>) -> tensor<?x8xf32>
  kern.yield %m : tensor<?x8xf32>
}

kern.kernel @masses_1000(%l: tensor<?x1000xf32>, %m: tensor<?x8xf32>, %s: tensor<?x4xi32>) -> tensor<?x16xi32> attributes {hero = #kern.hero<rows>,
    rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 1000, 8, 4, 16>} {
  %r = moe.chunk_masses %l, %m, %s {chunk = 128 : i64} : (tensor<?x1000xf32>, tensor<?x8xf32>, tensor<?x4xi32>) -> tensor<?x16xi32>
  kern.yield %r : tensor<?x16xi32>
}

kern.kernel @sample_1000(%l: tensor<?x1000xf32>, %m: tensor<?x8xf32>, %c: tensor<?x16xi32>, %s: tensor<?x4xi32>) -> tensor<?xi32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
    row_strides = array<i64: 1000, 8, 16, 4, 1>} {
  %r = moe.sample %l, %m, %c, %s {chunk = 128 : i64}
      : (tensor<?x1000xf32>, tensor<?x8xf32>, tensor<?x16xi32>, tensor<?x4xi32>) -> tensor<?xi32>
  kern.yield %r : tensor<?xi32>
}

kern.kernel @maxima_129280(%l: tensor<?x129280xf32>) -> tensor<?x1010xf32> attributes {hero = #kern.hero<rows>,
    rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 129280, 1010>} {
  %m = moe.chunk_maxima %l {chunk = 128 : i64} : (tensor<?x129280xf32>) -> tensor<?x1010xf32>
  kern.yield %m : tensor<?x1010xf32>
}

kern.kernel @masses_129280(%l: tensor<?x129280xf32>, %m: tensor<?x1010xf32>, %s: tensor<?x4xi32>) -> tensor<?x2020xi32> attributes {hero = #kern.hero<rows>,
    rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 129280, 1010, 4, 2020>} {
  %r = moe.chunk_masses %l, %m, %s {chunk = 128 : i64} : (tensor<?x129280xf32>, tensor<?x1010xf32>, tensor<?x4xi32>) -> tensor<?x2020xi32>
  kern.yield %r : tensor<?x2020xi32>
}

kern.kernel @sample_129280(%l: tensor<?x129280xf32>, %m: tensor<?x1010xf32>, %c: tensor<?x2020xi32>, %s: tensor<?x4xi32>) -> tensor<?xi32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
    row_strides = array<i64: 129280, 1010, 2020, 4, 1>} {
  %r = moe.sample %l, %m, %c, %s {chunk = 128 : i64}
      : (tensor<?x129280xf32>, tensor<?x1010xf32>, tensor<?x2020xi32>, tensor<?x4xi32>) -> tensor<?xi32>
  kern.yield %r : tensor<?xi32>
}

kern.kernel @maxima_151936(%l: tensor<?x151936xf32>) -> tensor<?x1187xf32> attributes {hero = #kern.hero<rows>,
    rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 151936, 1187>} {
  %m = moe.chunk_maxima %l {chunk = 128 : i64} : (tensor<?x151936xf32>) -> tensor<?x1187xf32>
  kern.yield %m : tensor<?x1187xf32>
}

kern.kernel @masses_151936(%l: tensor<?x151936xf32>, %m: tensor<?x1187xf32>, %s: tensor<?x4xi32>) -> tensor<?x2374xi32> attributes {hero = #kern.hero<rows>,
    rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>], row_strides = array<i64: 151936, 1187, 4, 2374>} {
  %r = moe.chunk_masses %l, %m, %s {chunk = 128 : i64} : (tensor<?x151936xf32>, tensor<?x1187xf32>, tensor<?x4xi32>) -> tensor<?x2374xi32>
  kern.yield %r : tensor<?x2374xi32>
}

kern.kernel @sample_151936(%l: tensor<?x151936xf32>, %m: tensor<?x1187xf32>, %c: tensor<?x2374xi32>, %s: tensor<?x4xi32>) -> tensor<?xi32>
    attributes {hero = #kern.hero<rows>, rows = [#kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>, #kern.rows<tokens * 1>],
    row_strides = array<i64: 151936, 1187, 2374, 4, 1>} {
  %r = moe.sample %l, %m, %c, %s {chunk = 128 : i64}
      : (tensor<?x151936xf32>, tensor<?x1187xf32>, tensor<?x2374xi32>, tensor<?x4xi32>) -> tensor<?xi32>
  kern.yield %r : tensor<?xi32>
}

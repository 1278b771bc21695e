// Ops that choose tokens. Shapes in descriptions: R rows of logits, V tokens, C chunks of them.
#ifndef MOEC_DIALECTS_MOE_SAMPLING_OPS_TD
#define MOEC_DIALECTS_MOE_SAMPLING_OPS_TD

include "dialects/moe/MoeOpBase.td"

def Moe_Logits : Moe_Shaped<RankedTensorOf<[F32]>, 2, 1, "f32 tensor [rows, static columns]">;

def Moe_ChunkMaximaOp : Moe_ComputeOp<"chunk_maxima"> {
  let summary = "the largest logit of each chunk of columns";
  let description = [{
    logits [R, V] -> [R, ceil(V / chunk)]; a NaN counts as -infinity. The last chunk may be shorter.
  }];
  let arguments = (ins Moe_Logits:$logits, I64Attr:$chunk);
  let results = (outs Moe_Logits:$maxima);
}

def Moe_ChunkMassesOp : Moe_ComputeOp<"chunk_masses"> {
  let summary = "the sum of the weights of each chunk's tokens";
  let description = [{
    logits [R, V], maxima [R, C] of them, sampling [R, 4] -> [R, 2 * C] i32. The weights are those of moe.sample, integers; a
    chunk's sum s is columns c (s mod 2^20) and C + c (s / 2^20). Rows that take the largest logit have zeros.
  }];
  let arguments = (ins Moe_Logits:$logits, Moe_Logits:$maxima, Moe_IntRows:$sampling,
      I64Attr:$chunk);
  let results = (outs Moe_IntRows:$masses);
}

def Moe_SampleOp : Moe_ComputeOp<"sample"> {
  let summary = "choose a token for each row of logits";
  let description = [{
    logits [R, V], sampling [R, 4] -> ids [R]. A row of `sampling` is: the bits of the f32 log2(e) / temperature, 0 for the largest
    logit; top_k, 0 for all; top_p in units of 2^-32, 0 for all; a random number in [0, 2^32). README.md says how they choose.
    An id is -1 when all logits are NaN. `maxima` and `masses`, moe.chunk_maxima and moe.chunk_masses of the same operands,
    let a kernel leave out most of a row and change nothing.
  }];
  let arguments = (ins Moe_Logits:$logits, Moe_Logits:$maxima, Moe_IntRows:$masses,
      Moe_IntRows:$sampling, I64Attr:$chunk);
  let results = (outs Moe_Ints:$ids);
}

#endif // MOEC_DIALECTS_MOE_SAMPLING_OPS_TD

// Verifiers of the attention ops and the cache.
#include "dialects/moe/CacheRow.h"

using namespace mlir;
using namespace moec::moe;

/// A quantized row's codes are the latents.
static LogicalResult verifyCodes(Operation *op, CacheType cache, int64_t latent) {
  CacheRow row = getCacheRow(cache);
  if (row.isQuantized() && row.codes != latent)
    return op->emitOpError() << "cache rows have " << row.codes
                             << " quantized columns; expected the " << latent << " of the latent";
  return success();
}

LogicalResult CacheAppendOp::verify() {
  auto cache = cast<CacheType>(getCache().getType());
  if (getType() != cache)
    return emitOpError() << "cache " << cache << " and result " << getType()
                         << " must have one type";
  int64_t columns = getShape(getRows().getType()).back();
  if (columns != cache.getWidth())
    return emitOpError() << "rows have " << columns << " columns, the cache is " << cache.getWidth()
                         << " wide";
  return success();
}
Value CacheAppendOp::getRowSource(unsigned) { return getRows(); }

LogicalResult AttentionOp::verify() {
  int64_t heads = getHeads(), kvHeads = getKvHeads(), key = getKeyDim(), value = getValueDim();
  if (heads < 1 || kvHeads < 1 || key < 1 || value < 1)
    return emitOpError() << "heads (" << heads << "), kv_heads (" << kvHeads << "), key_dim ("
                         << key << ") and value_dim (" << value << ") must be positive";
  if (heads % kvHeads)
    return emitOpError() << "heads (" << heads << ") must be a multiple of kv_heads (" << kvHeads
                         << ")";
  if (getCacheRow(cast<CacheType>(getCache().getType())).isQuantized())
    return emitOpError() << "keys and values cannot be quantized; got " << getCache().getType();
  int64_t width = cast<CacheType>(getCache().getType()).getWidth();
  if (width != kvHeads * (key + value))
    return emitOpError() << "cache width (" << width
                         << ") must be kv_heads * (key_dim + value_dim) = "
                         << kvHeads * (key + value);
  int64_t columns = getShape(getQ().getType()).back();
  if (columns != heads * key)
    return emitOpError() << "q columns (" << columns
                         << ") must be heads * key_dim = " << heads * key;
  int64_t results = getShape(getType()).back();
  if (results != heads * value)
    return emitOpError() << "result columns (" << results
                         << ") must be heads * value_dim = " << heads * value;
  return success();
}
bool AttentionOp::isRowwise() { return false; }

LogicalResult MlaAttentionOp::verify() {
  auto weight = getShape(getUpWeight().getType());
  auto cache = cast<CacheType>(getCache().getType());
  int64_t heads = getHeads(), nope = getNopeDim(), rope = getRopeDim(), v = getVDim();
  if (heads < 1 || nope < 0 || rope < 0 || v < 1)
    return emitOpError() << "heads (" << heads << ") and v_dim (" << v
                         << ") must be positive, nope_dim (" << nope << ") and rope_dim (" << rope
                         << ") not negative";
  if (weight[0] != heads * (nope + v))
    return emitOpError() << "up_weight must be [heads * (nope + v) = " << heads * (nope + v)
                         << ", latent]; got " << getUpWeight().getType();
  if (cache.getWidth() != weight[1] + rope)
    return emitOpError() << "cache width (" << cache.getWidth() << ") must be latent + rope ("
                         << weight[1] << " + " << rope << ")";
  if (failed(verifyCodes(*this, cache, weight[1])))
    return failure();
  int64_t columns = getShape(getQ().getType()).back();
  if (columns != heads * (nope + rope))
    return emitOpError() << "q columns (" << columns
                         << ") must be heads * (nope + rope) = " << heads * (nope + rope);
  int64_t results = getShape(getType()).back();
  if (results != heads * v)
    return emitOpError() << "result columns (" << results << ") must be heads * v = " << heads * v;
  return success();
}
bool MlaAttentionOp::isRowwise() { return false; }

LogicalResult LatentAttentionOp::verify() {
  auto cache = cast<CacheType>(getCache().getType());
  int64_t heads = getHeads(), rope = getRopeDim(), latent = cache.getWidth() - rope;
  if (rope < 0 || latent < 1)
    return emitOpError() << "rope_dim (" << rope
                         << ") must leave a latent part of the cache width (" << cache.getWidth()
                         << ")";
  if (failed(verifyCodes(*this, cache, latent)))
    return failure();
  for (auto [name, type] : {std::pair<StringRef, Type>("q_latent", getQLatent().getType()),
                            std::pair<StringRef, Type>("result", getType())})
    if (getShape(type).back() != heads * latent)
      return emitOpError() << name << " columns (" << getShape(type).back()
                           << ") must be heads * latent = " << heads * latent;
  int64_t columns = getShape(getQ().getType()).back();
  if (heads < 1 || columns % heads || columns / heads < rope)
    return emitOpError() << "q columns (" << columns << ") must be heads (" << heads
                         << ") times at least rope_dim (" << rope << ")";
  return success();
}
bool LatentAttentionOp::isRowwise() { return false; }

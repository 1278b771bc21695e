// Walks a recipe with the shape that each of its nodes must have, which the
// weight's type fixes from above.
#include "dialects/moe/Recipe.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec::moe;
using llvm::Error;
using llvm::Expected;

template <typename... Args> static Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::formatv(format, std::forward<Args>(args)...).str());
}

static std::string print(ArrayRef<int64_t> shape) {
  return "[" +
         llvm::join(llvm::map_range(shape, [](int64_t size) { return llvm::Twine(size).str(); }),
                    ", ") +
         "]";
}

static int64_t getNumElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

namespace {
/// What a walk over a recipe is for.
enum class Walk { Check, Values, Scales };

/// The walk over one weight's recipe. To check it, a stack's first tensor is
/// looked at only, and nothing is listed.
class RecipeWalk {
public:
  RecipeWalk(WeightOp weight, Walk walk)
      : weight(weight), check(walk == Walk::Check), scales(walk == Walk::Scales) {}

  /// The runs of the node `recipe`, which stands for a tensor of `shape` (of
  /// codes, also when scales are listed).
  Expected<SmallVector<Piece>> list(Attribute recipe, ArrayRef<int64_t> shape);

  SmallVector<Leaf> leaves; // met on the way

private:
  Expected<SmallVector<Piece>> listLeaf(std::string tensor, ArrayRef<int64_t> shape);
  Expected<SmallVector<Piece>> listStack(StackAttr stack, ArrayRef<int64_t> shape);
  Expected<SmallVector<Piece>> listConcat(ConcatAttr concat, ArrayRef<int64_t> shape);
  Expected<SmallVector<Piece>> listInterleave(InterleaveAttr interleave, ArrayRef<int64_t> shape);
  Expected<SmallVector<Piece>> listSplit(SplitAttr split, ArrayRef<int64_t> shape);
  Error checkConcat(ConcatAttr concat, ArrayRef<int64_t> shape);
  Error checkInterleave(InterleaveAttr interleave, ArrayRef<int64_t> shape);
  Error checkSplit(SplitAttr split, ArrayRef<int64_t> shape);
  /// How many neighbours along `axis` of a tensor with `rank` axes share a scale; 0: all.
  int64_t getBlock(int64_t axis, int64_t rank);
  Type getTypeOf(ArrayRef<int64_t> shape);
  /// The shape of the buffer that is listed: codes or scales.
  SmallVector<int64_t> getListedShape(ArrayRef<int64_t> shape);

  WeightOp weight;
  bool check;
  bool scales;
};

/// Takes runs of a part, in order, a given number of elements at a time.
class PieceReader {
public:
  explicit PieceReader(SmallVector<Piece> pieces) : pieces(std::move(pieces)) {}

  void take(int64_t count, SmallVectorImpl<Piece> &out) {
    while (count > 0) {
      Piece &front = pieces[next];
      Piece run = front;
      run.numElements = std::min(count, front.numElements);
      count -= run.numElements;
      front.firstElement += run.numElements;
      front.numElements -= run.numElements;
      if (front.numElements == 0)
        ++next;
      append(std::move(run), out);
    }
  }

private:
  /// A run that goes on where the last one ended becomes a part of it.
  static void append(Piece run, SmallVectorImpl<Piece> &out) {
    if (!out.empty() && out.back().firstElement + out.back().numElements == run.firstElement &&
        out.back().tensor == run.tensor)
      out.back().numElements += run.numElements;
    else
      out.push_back(std::move(run));
  }

  SmallVector<Piece> pieces;
  size_t next = 0;
};
} // namespace

Type RecipeWalk::getTypeOf(ArrayRef<int64_t> shape) {
  if (QuantSchemeAttr scheme = getScheme(weight.getType()))
    return QTensorType::get(weight.getContext(), shape, scheme);
  return cast<RankedTensorType>(weight.getType()).clone(shape);
}

SmallVector<int64_t> RecipeWalk::getListedShape(ArrayRef<int64_t> shape) {
  if (!scales)
    return SmallVector<int64_t>(shape);
  return SmallVector<int64_t>(cast<QTensorType>(getTypeOf(shape)).getScalesType().getShape());
}

Expected<SmallVector<Piece>> RecipeWalk::list(Attribute recipe, ArrayRef<int64_t> shape) {
  if (auto checkpoint = dyn_cast<CheckpointAttr>(recipe))
    return listLeaf(checkpoint.getName().str(), shape);
  if (auto stack = dyn_cast<StackAttr>(recipe))
    return listStack(stack, shape);
  if (auto concat = dyn_cast<ConcatAttr>(recipe))
    return listConcat(concat, shape);
  if (auto interleave = dyn_cast<InterleaveAttr>(recipe))
    return listInterleave(interleave, shape);
  if (auto split = dyn_cast<SplitAttr>(recipe))
    return listSplit(split, shape);
  return makeError("weight '{0}': a rope table is computed, it cannot be packed or be a part of "
                   "another weight",
                   weight.getSymName());
}

Expected<SmallVector<Piece>> RecipeWalk::listLeaf(std::string tensor, ArrayRef<int64_t> shape) {
  if (getScheme(weight.getType()) && shape.size() < 2)
    return makeError("weight '{0}': tensor '{1}' would have shape {2}; a quantized tensor needs at "
                     "least two axes",
                     weight.getSymName(), tensor, print(shape));
  leaves.push_back({tensor, getTypeOf(shape)});
  return SmallVector<Piece>{{std::move(tensor), scales, 0, getNumElements(getListedShape(shape))}};
}

Expected<SmallVector<Piece>> RecipeWalk::listStack(StackAttr stack, ArrayRef<int64_t> shape) {
  if (shape.size() < 2 || shape[0] != stack.getCount())
    return makeError("weight '{0}': a stack of {1} tensors cannot have shape {2}; its axis 0 "
                     "counts the tensors",
                     weight.getSymName(), stack.getCount(), print(shape));
  SmallVector<Piece> pieces;
  auto [before, after] = stack.getPattern().split("{}");
  for (int64_t i = 0; i < stack.getCount(); ++i) {
    auto one = listLeaf((before + llvm::Twine(i) + after).str(), shape.drop_front());
    if (!one)
      return one.takeError();
    llvm::append_range(pieces, *one);
    if (check)
      break;
  }
  return pieces;
}

int64_t RecipeWalk::getBlock(int64_t axis, int64_t rank) {
  QuantSchemeAttr scheme = getScheme(weight.getType());
  int64_t fromEnd = rank - axis; // 2: rows, 1: columns
  return scheme && fromEnd <= 2 ? scheme.getBlock()[2 - fromEnd] : 1;
}

Error RecipeWalk::checkConcat(ConcatAttr concat, ArrayRef<int64_t> shape) {
  int64_t axis = concat.getAxis(), sum = 0;
  if (axis >= int64_t(shape.size()))
    return makeError("weight '{0}': concat axis {1} is outside shape {2}", weight.getSymName(),
                     axis, print(shape));
  int64_t block = getBlock(axis, shape.size());
  for (int64_t size : concat.getSizes()) {
    if (sum && (block == 0 || sum % block))
      return makeError("weight '{0}': a part of the concat ends at {1} of axis {2}, inside a "
                       "block of {3} that shares one scale",
                       weight.getSymName(), sum, axis, block ? block : shape[axis]);
    sum += size;
  }
  if (sum != shape[axis])
    return makeError("weight '{0}': concat sizes add up to {1}, axis {2} of shape {3} has {4}",
                     weight.getSymName(), sum, axis, print(shape), shape[axis]);
  return Error::success();
}

Expected<SmallVector<Piece>> RecipeWalk::listConcat(ConcatAttr concat, ArrayRef<int64_t> shape) {
  if (Error error = checkConcat(concat, shape))
    return error;
  int64_t axis = concat.getAxis();
  int64_t runs = getNumElements(ArrayRef(getListedShape(shape)).take_front(axis));
  SmallVector<PieceReader> readers;
  SmallVector<int64_t> runElements; // of each part
  for (auto [part, size] : llvm::zip(concat.getParts(), concat.getSizes())) {
    SmallVector<int64_t> partShape(shape);
    partShape[axis] = size;
    auto pieces = list(part, partShape);
    if (!pieces)
      return pieces.takeError();
    readers.emplace_back(std::move(*pieces));
    runElements.push_back(getNumElements(getListedShape(partShape)) / runs);
  }
  SmallVector<Piece> joined;
  for (int64_t run = 0; run < runs && !check; ++run)
    for (auto [reader, count] : llvm::zip(readers, runElements))
      reader.take(count, joined);
  return joined;
}

Error RecipeWalk::checkInterleave(InterleaveAttr interleave, ArrayRef<int64_t> shape) {
  int64_t axis = interleave.getAxis(), parts = interleave.getParts().size();
  if (axis >= int64_t(shape.size()) || shape[axis] % parts)
    return makeError("weight '{0}': {1} parts of one size cannot be interleaved along axis {2} of "
                     "shape {3}",
                     weight.getSymName(), parts, axis, print(shape));
  int64_t block = getBlock(axis, shape.size()), size = shape[axis] / parts;
  if (block == 0 || interleave.getBlock() % block || size % block)
    return makeError("weight '{0}': interleaving {1} rows of each {2} of axis {3} parts a block of "
                     "{4} that shares one scale",
                     weight.getSymName(), interleave.getBlock(), size, axis, block ? block : size);
  return Error::success();
}

Expected<SmallVector<Piece>> RecipeWalk::listInterleave(InterleaveAttr interleave,
                                                        ArrayRef<int64_t> shape) {
  if (Error error = checkInterleave(interleave, shape))
    return error;
  int64_t axis = interleave.getAxis();
  SmallVector<int64_t> partShape(shape);
  partShape[axis] /= interleave.getParts().size();
  SmallVector<PieceReader> readers;
  for (Attribute part : interleave.getParts()) {
    auto pieces = list(part, partShape);
    if (!pieces)
      return pieces.takeError();
    readers.emplace_back(std::move(*pieces));
  }
  // In listed elements: scales count blocks of the scheme.
  SmallVector<int64_t> listed = getListedShape(partShape);
  int64_t runs = getNumElements(ArrayRef(listed).take_front(axis)),
          inner = getNumElements(ArrayRef(listed).drop_front(axis + 1)),
          block = interleave.getBlock() / (scales ? getBlock(axis, shape.size()) : 1);
  SmallVector<Piece> joined;
  for (int64_t run = 0; run < runs && !check; ++run)
    for (int64_t first = 0; first < listed[axis]; first += block)
      for (PieceReader &reader : readers)
        reader.take(std::min(block, listed[axis] - first) * inner, joined);
  return joined;
}

Error RecipeWalk::checkSplit(SplitAttr split, ArrayRef<int64_t> shape) {
  int64_t axis = split.getAxis(), count = split.getCount();
  if (shape.size() < 2 || axis + 1 >= int64_t(shape.size()) || shape[0] != count)
    return makeError("weight '{0}': {1} ranges of axis {2} cannot have shape {3}; its axis 0 "
                     "counts the ranges",
                     weight.getSymName(), count, axis, print(shape));
  int64_t block = getBlock(axis + 1, shape.size()), size = shape[axis + 1];
  if (count > 1 && (block == 0 || size % block))
    return makeError("weight '{0}': a range of {1} of axis {2} ends inside a block of {3} that "
                     "shares one scale",
                     weight.getSymName(), size, axis, block ? block : size * count);
  return Error::success();
}

Expected<SmallVector<Piece>> RecipeWalk::listSplit(SplitAttr split, ArrayRef<int64_t> shape) {
  if (Error error = checkSplit(split, shape))
    return error;
  int64_t axis = split.getAxis(), count = split.getCount();
  SmallVector<int64_t> partShape(shape.drop_front());
  partShape[axis] *= count;
  auto pieces = list(split.getPart(), partShape);
  if (!pieces || check)
    return pieces;
  PieceReader reader(std::move(*pieces));
  SmallVector<int64_t> listed = getListedShape(shape);
  int64_t runs = getNumElements(ArrayRef(listed).drop_front().take_front(axis)),
          inner = getNumElements(ArrayRef(listed).drop_front(axis + 1));
  SmallVector<SmallVector<Piece>> ranges(count);
  for (int64_t run = 0; run < runs; ++run)
    for (SmallVector<Piece> &range : ranges)
      reader.take(inner, range);
  SmallVector<Piece> stacked;
  for (SmallVector<Piece> &range : ranges)
    llvm::append_range(stacked, range);
  return stacked;
}

bool moec::moe::isComputed(WeightOp weight) { return isa<RopeTableAttr>(weight.getRecipe()); }

Expected<SmallVector<Piece>> moec::moe::listPieces(WeightOp weight, bool scales) {
  if (scales && !getScheme(weight.getType()))
    return makeError("weight '{0}' is not quantized and has no scales", weight.getSymName());
  return RecipeWalk(weight, scales ? Walk::Scales : Walk::Values)
      .list(weight.getRecipe(), getShape(weight.getType()));
}

Expected<SmallVector<Leaf>> moec::moe::listLeaves(WeightOp weight) {
  if (isComputed(weight))
    return SmallVector<Leaf>();
  RecipeWalk walk(weight, Walk::Values);
  auto pieces = walk.list(weight.getRecipe(), getShape(weight.getType()));
  if (!pieces)
    return pieces.takeError();
  return std::move(walk.leaves);
}

Error moec::moe::checkRecipe(WeightOp weight) {
  if (auto table = dyn_cast<RopeTableAttr>(weight.getRecipe())) {
    auto expected = RankedTensorType::get({table.getPositions(), table.getRope().getDim()},
                                          Float32Type::get(weight.getContext()));
    if (weight.getType() == expected)
      return Error::success();
    return makeError("weight '{0}': its rope table has {1} positions and {2} columns of f32; got "
                     "type {3}",
                     weight.getSymName(), table.getPositions(), table.getRope().getDim(),
                     weight.getType());
  }
  return RecipeWalk(weight, Walk::Check)
      .list(weight.getRecipe(), getShape(weight.getType()))
      .takeError();
}

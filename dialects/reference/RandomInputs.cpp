// First finds what each argument is for, then draws one consistent step, then
// fills the arguments from it.
#include "dialects/reference/RandomInputs.h"

#include "dialects/moe/CacheRow.h"
#include "dialects/reference/Random.h"
#include "dialects/reference/Scope.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace moec;
using namespace moec::reference;

namespace {
enum class Role {
  Plain,
  TokenIds,
  Positions,
  Sequences,
  BlockTable,
  OutputRows,
  ExpertIds,  // [tokens, top_k]
  SlotRows,   // grouped_linear's rows, [tokens * top_k]
  Slots,      // combine's slots, [tokens, top_k]
  Offsets,    // [experts + 1]
  SlotValues, // floats with a row for each slot
  Sampling,   // how tokens are chosen, [output rows, 4]
  RowValues,  // floats with a row for each output row
};

/// What is known of the arguments' meaning before anything is drawn.
struct Facts {
  std::vector<Role> roles;
  int64_t vocabulary = 2, experts = 2, topK = 1;
  int64_t page = 0;  // rows of a cache page
  int64_t pages = 0; // of a sequence, when the block table's type says
  int64_t maxContext = std::numeric_limits<int32_t>::max();
  int64_t rotations = std::numeric_limits<int32_t>::max(); // rows of the shortest table of them
};

/// One step: every integer input that the model can ask for.
struct Step {
  Ints tokenIds, positions, sequences, blockTable, outputRows;
  Ints expertIds, slotRows, slots, offsets;
};

class InputMaker {
public:
  InputMaker(mlir::FunctionOpInterface function, InputDims dims, uint64_t seed)
      : function(function), dims(dims), random(seed, "inputs") {}
  llvm::Expected<Values> make();

private:
  void gatherFacts();
  Role findRole(mlir::Value value);
  Role findRole(mlir::OpOperand &use);
  void gatherSizes(Role role, mlir::Type type);
  Step drawStep();
  void drawSequences(Step &step);
  llvm::Error checkPositions(const Step &step) const;
  void drawRouting(Step &step);
  int32_t drawExpert(int64_t pair, int64_t rank);
  Ints drawSampling(int64_t rows);
  void deriveSampling(Values &values);
  llvm::Expected<Value> fill(Role role, mlir::Type type, int64_t rows, const Step &step);
  Value fillInts(Role role, mlir::RankedTensorType type, int64_t rows, const Step &step);
  int64_t getRows(unsigned argument, Role role);

  mlir::FunctionOpInterface function;
  InputDims dims;
  Random random;
  Facts facts;
};
} // namespace

//===----------------------------------------------------------------------===//
// What arguments are for
//===----------------------------------------------------------------------===//

static Role parseRole(llvm::StringRef name) {
  return llvm::StringSwitch<Role>(name)
      .Case("token_ids", Role::TokenIds)
      .Case("positions", Role::Positions)
      .Case("sequence_ids", Role::Sequences)
      .Case("block_table", Role::BlockTable)
      .Case("output_rows", Role::OutputRows)
      .Case("sampling", Role::Sampling)
      .Case("logits", Role::RowValues)
      .Default(Role::Plain);
}

/// The role of an operand of an op that reads the cache.
template <typename Op> static Role findCacheRole(Op op, mlir::Value value) {
  if (value == op.getPositions())
    return Role::Positions;
  if (value == op.getSequences())
    return Role::Sequences;
  return value == op.getBlockTable() ? Role::BlockTable : Role::Plain;
}

Role InputMaker::findRole(mlir::OpOperand &use) {
  mlir::Value value = use.get();
  return llvm::TypeSwitch<mlir::Operation *, Role>(use.getOwner())
      .Case([&](moe::EmbeddingOp op) {
        facts.vocabulary = moe::getShape(op.getTable().getType())[0];
        return value == op.getIds() ? Role::TokenIds : Role::Plain;
      })
      .Case([&](moe::RopeOp op) {
        if (mlir::Value table = op.getTable())
          if (int64_t rows = moe::getShape(table.getType()).front(); rows >= 0)
            facts.rotations = std::min(facts.rotations, rows);
        return value == op.getPositions() ? Role::Positions : Role::Plain;
      })
      .Case<moe::CacheAppendOp, moe::AttentionOp, moe::MlaAttentionOp, moe::LatentAttentionOp>(
          [&](auto op) { return findCacheRole(op, value); })
      .Case([&](moe::GatherRowsOp op) {
        return value == op.getRows() ? Role::OutputRows : Role::Plain;
      })
      .Case([&](moe::ExpertsOp op) {
        facts.experts = moe::getShape(op.getGate().getType())[0];
        return value == op.getIds() ? Role::ExpertIds : Role::Plain;
      })
      .Case([&](moe::PermuteOp op) {
        facts.experts = moe::getShape(op.getOffsets().getType())[0] - 1;
        return Role::ExpertIds;
      })
      .Case([&](moe::GroupedLinearOp op) {
        facts.topK = std::max<int64_t>(facts.topK, op.getTopK());
        if (value == op.getOffsets())
          return Role::Offsets;
        if (value == op.getRows())
          return Role::SlotRows;
        return value == op.getX() && !op.getRows() ? Role::SlotValues : Role::Plain;
      })
      .Case([&](moe::CombineOp op) {
        if (value == op.getSlots())
          return Role::Slots;
        if (value == op.getRows())
          return Role::SlotRows;
        return value == op.getY() ? Role::SlotValues : Role::Plain;
      })
      .Case<moe::ChunkMassesOp, moe::SampleOp>(
          [&](auto op) { return value == op.getSampling() ? Role::Sampling : Role::Plain; })
      .Case([&](kern::LaunchOp op) {
        auto kernel =
            mlir::SymbolTable::lookupNearestSymbolFrom<kern::KernelOp>(op, op.getKernelAttr());
        return kernel ? findRole(kernel.getArgument(use.getOperandNumber())) : Role::Plain;
      })
      .Default(Role::Plain);
}

Role InputMaker::findRole(mlir::Value value) {
  Role found = Role::Plain;
  for (mlir::OpOperand &use : value.getUses())
    if (Role role = findRole(use); role != Role::Plain)
      found = role;
  return found;
}

void InputMaker::gatherSizes(Role role, mlir::Type type) {
  if (auto cache = llvm::dyn_cast<moe::CacheType>(type))
    facts.page = facts.page ? std::min(facts.page, cache.getPage()) : cache.getPage();
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  if (!tensor)
    return;
  if (role == Role::ExpertIds || role == Role::Slots)
    facts.topK = tensor.getShape().back();
  if (role == Role::Offsets)
    facts.experts = tensor.getShape()[0] - 1;
  if (role == Role::BlockTable && !tensor.isDynamicDim(1))
    facts.pages = tensor.getDimSize(1);
}

void InputMaker::gatherFacts() {
  for (mlir::BlockArgument argument : function.getArguments()) {
    Role role = findRole(argument);
    auto name = function.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), "moe.input");
    if (name)
      role = parseRole(name.getValue());
    facts.roles.push_back(role);
    gatherSizes(role, argument.getType());
    // A kernel that reads slots without their rows still says how many there are.
    auto kernel = llvm::dyn_cast<kern::KernelOp>(function.getOperation());
    if (kernel && role == Role::SlotValues)
      if (auto rows = llvm::dyn_cast<kern::RowsAttr>(kernel.getRows()[argument.getArgNumber()]))
        facts.topK = std::max(facts.topK, rows.getMultiplier());
  }
  if (!facts.page)
    facts.page = 64;
  auto module = function->getParentOfType<mlir::ModuleOp>();
  if (auto context = module ? module->getAttrOfType<mlir::IntegerAttr>("moe.max_context")
                            : mlir::IntegerAttr())
    facts.maxContext = context.getInt();
  if (facts.pages)
    facts.maxContext = std::min(facts.maxContext, facts.pages * facts.page);
}

/// Positions that no table of rotations has, which a kernel would read behind its end.
llvm::Error InputMaker::checkPositions(const Step &step) const {
  int32_t last = *std::max_element(step.positions.data.begin(), step.positions.data.end());
  if (last < facts.rotations)
    return llvm::Error::success();
  return llvm::createStringError(
      llvm::formatv("a sequence has position {0}, a table of rotations {1} rows: divide the {2} "
                    "tokens among more "
                    "than {3} sequences, or give them fewer earlier tokens",
                    last, facts.rotations, dims.tokens, dims.sequences));
}

//===----------------------------------------------------------------------===//
// A step
//===----------------------------------------------------------------------===//

/// Tokens are dealt to sequences in runs; each sequence has earlier tokens, up
/// to one and a half pages of them.
void InputMaker::drawSequences(Step &step) {
  int64_t longest = (dims.tokens + dims.sequences - 1) / dims.sequences;
  int64_t earlierLimit =
      dims.earlierTokens >= 0
          ? dims.earlierTokens
          : std::max<int64_t>(1, std::min(facts.page * 3 / 2, facts.maxContext - longest + 1));
  std::vector<int64_t> next;
  for (int64_t s = 0; s < dims.sequences; ++s)
    next.push_back(dims.earlierTokens >= 0 ? dims.earlierTokens : random.below(earlierLimit));
  for (int64_t t = 0; t < dims.tokens; ++t) {
    int64_t sequence = t * dims.sequences / dims.tokens;
    step.sequences.data[t] = int32_t(sequence);
    step.positions.data[t] = int32_t(next[sequence]++);
  }
  int64_t pages = facts.pages;
  if (!pages)
    pages = (earlierLimit + longest + facts.page - 1) / facts.page;
  step.blockTable = Ints({dims.sequences, pages});
  auto &table = step.blockTable.data;
  std::iota(table.begin(), table.end(), 0);
  for (size_t i = table.size(); i > 1; --i)
    std::swap(table[i - 1], table[random.below(int64_t(i))]);
}

/// What choice `rank` of a token, pair `pair` of all, may be.
int32_t InputMaker::drawExpert(int64_t pair, int64_t rank) {
  if (!dims.crowded || facts.experts < facts.topK + 2)
    return int32_t(random.below(facts.experts));
  if (rank == 0)
    return 0;
  return pair == 1 ? 1 : int32_t(2 + random.below(facts.experts - 3));
}

/// Each token chooses top_k different experts (as far as there are as many).
void InputMaker::drawRouting(Step &step) {
  int64_t pairs = dims.tokens * facts.topK;
  step.expertIds = step.slots = Ints({dims.tokens, facts.topK});
  step.slotRows = Ints({pairs});
  step.offsets = Ints({facts.experts + 1});
  for (int64_t pair = 0; pair < pairs; ++pair) {
    int64_t first = pair / facts.topK * facts.topK;
    auto *ids = step.expertIds.data.data();
    do
      ids[pair] = drawExpert(pair, pair - first);
    while (pair - first < facts.experts &&
           std::find(ids + first, ids + pair, ids[pair]) != ids + pair);
  }
  int32_t slot = 0;
  for (int64_t expert = 0; expert < facts.experts; ++expert) {
    for (int64_t pair = 0; pair < pairs; ++pair)
      if (step.expertIds.data[pair] == expert) {
        step.slotRows.data[slot] = int32_t(pair);
        step.slots.data[pair] = slot++;
      }
    step.offsets.data[expert + 1] = slot;
  }
}

Step InputMaker::drawStep() {
  Step step;
  step.tokenIds = step.positions = step.sequences = Ints({dims.tokens});
  step.outputRows = Ints({dims.outputRows});
  for (int32_t &id : step.tokenIds.data)
    id = int32_t(random.below(facts.vocabulary));
  for (int32_t &row : step.outputRows.data)
    row = int32_t(random.below(dims.tokens));
  drawSequences(step);
  drawRouting(step);
  return step;
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// Rows that take the largest logit, draw from all, and from what top_k and top_p leave.
Ints InputMaker::drawSampling(int64_t rows) {
  Ints sampling({rows, 4});
  for (int64_t row = 0; row < rows; ++row) {
    constexpr float kFactors[] = {0, 1.44f, 0.9f, 2.4f};
    constexpr int32_t kTopK[] = {0, 1, 20, 0, 50};
    constexpr uint32_t kTopP[] = {0, 0xF3333333, 0, 0x80000000, 1};
    sampling.at(row, 0) = llvm::bit_cast<int32_t>(kFactors[random.below(4)]);
    sampling.at(row, 1) = kTopK[random.below(5)];
    sampling.at(row, 2) = int32_t(kTopP[random.below(5)]);
    sampling.at(row, 3) = int32_t(random.below(int64_t(1) << 32));
  }
  return sampling;
}

/// The integers of `role`; without one, zeros and ones.
Value InputMaker::fillInts(Role role, mlir::RankedTensorType type, int64_t rows, const Step &step) {
  const Ints *source = nullptr;
  switch (role) {
  case Role::TokenIds:
    source = &step.tokenIds;
    break;
  case Role::Positions:
    source = &step.positions;
    break;
  case Role::Sequences:
    source = &step.sequences;
    break;
  case Role::BlockTable:
    source = &step.blockTable;
    break;
  case Role::OutputRows:
    source = &step.outputRows;
    break;
  case Role::ExpertIds:
    source = &step.expertIds;
    break;
  case Role::SlotRows:
    source = &step.slotRows;
    break;
  case Role::Slots:
    source = &step.slots;
    break;
  case Role::Offsets:
    source = &step.offsets;
    break;
  case Role::Sampling:
    return drawSampling(rows);
  case Role::Plain:
  case Role::SlotValues:
  case Role::RowValues:
    break;
  }
  if (source)
    return *source;
  Shape shape(type.getShape());
  for (int64_t &size : shape)
    if (mlir::ShapedType::isDynamic(size))
      size = rows;
  Ints result(shape);
  for (int32_t &element : result.data)
    element = int32_t(random.below(2));
  return result;
}

int64_t InputMaker::getRows(unsigned argument, Role role) {
  auto kernel = llvm::dyn_cast<kern::KernelOp>(function.getOperation());
  if (kernel)
    if (auto rows = llvm::dyn_cast<kern::RowsAttr>(kernel.getRows()[argument]))
      switch (rows.getDim()) {
      case kern::Dim::One:
        return rows.getMultiplier();
      case kern::Dim::Tokens:
        return dims.tokens * rows.getMultiplier();
      case kern::Dim::Sequences:
        return dims.sequences * rows.getMultiplier();
      case kern::Dim::OutputRows:
        return dims.outputRows * rows.getMultiplier();
      }
  if (role == Role::Sampling || role == Role::RowValues)
    return dims.outputRows;
  return role == Role::SlotValues ? dims.tokens * facts.topK : dims.tokens;
}

/// `type` as a value without elements; nothing for integers.
static std::optional<Value> makeEmpty(mlir::Type type, int64_t rows, int64_t pages) {
  auto empty = [&](llvm::ArrayRef<int64_t> shape) {
    Tensor tensor;
    tensor.shape = Shape(shape);
    for (int64_t &size : tensor.shape)
      size = mlir::ShapedType::isDynamic(size) ? rows : size;
    return tensor;
  };
  if (auto cache = llvm::dyn_cast<moe::CacheType>(type))
    return Cache{empty({pages * cache.getPage(), cache.getWidth()}), cache.getPage()};
  if (auto quantized = llvm::dyn_cast<moe::QTensorType>(type)) {
    auto block = quantized.getScheme().getBlock();
    return Quantized{empty(quantized.getShape()),
                     empty(quantized.getScalesType().getShape()),
                     {block[0], block[1]}};
  }
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  if (tensor && tensor.getElementType().isFloat())
    return empty(tensor.getShape());
  return std::nullopt;
}

llvm::Expected<Value> InputMaker::fill(Role role, mlir::Type type, int64_t rows, const Step &step) {
  if (dims.shapesOnly)
    if (auto empty = makeEmpty(type, rows, int64_t(step.blockTable.data.size())))
      return std::move(*empty);
  if (auto cache = llvm::dyn_cast<moe::CacheType>(type)) {
    int64_t pages = int64_t(step.blockTable.data.size());
    Cache result{Tensor({pages * cache.getPage(), cache.getWidth()}), cache.getPage()};
    for (double &element : result.rows.data)
      element = random.normal();
    for (int64_t row = 0; moe::getCacheRow(cache).isQuantized() && row < result.rows.rows(); ++row)
      roundCacheRow(cache, result.rows.row(row));
    return result;
  }
  if (auto quantized = llvm::dyn_cast<moe::QTensorType>(type)) {
    if (mlir::ShapedType::isDynamic(quantized.getShape()[0]))
      quantized = llvm::cast<moe::QTensorType>(moe::withRows(quantized, rows));
    auto block = quantized.getScheme().getBlock();
    LeafData data = drawQuantized(quantized, 1, random);
    return Quantized{Tensor(quantized.getShape(), std::move(data.values)),
                     Tensor(quantized.getScalesType().getShape(), std::move(data.scales)),
                     {block[0], block[1]}};
  }
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  if (!tensor || !(tensor.getElementType().isInteger(32) || tensor.getElementType().isFloat()))
    return llvm::createStringError("an argument is of a type that cannot be interpreted");
  if (tensor.getElementType().isInteger(32))
    return fillInts(role, tensor, rows, step);
  Shape shape(tensor.getShape());
  for (int64_t &size : shape)
    if (mlir::ShapedType::isDynamic(size))
      size = rows;
  Tensor result(shape);
  for (double &element : result.data)
    element = random.normal();
  return result;
}

/// Arguments that stand for the chunks of other arguments are made of these.
void InputMaker::deriveSampling(Values &values) {
  auto find = [&](mlir::Value value) -> ValuePtr * {
    auto argument = llvm::dyn_cast<mlir::BlockArgument>(value);
    return argument ? &values[argument.getArgNumber()] : nullptr;
  };
  auto derive = [&](auto op) {
    ValuePtr *logits = find(op.getLogits()), *maxima = find(op.getMaxima());
    if (logits && maxima)
      *maxima = share(getChunkMaxima(std::get<Tensor>(**logits), op.getChunk()));
    return logits;
  };
  function.walk([&](moe::ChunkMassesOp op) { derive(op); });
  function.walk([&](moe::SampleOp op) {
    ValuePtr *logits = derive(op), *masses = find(op.getMasses()),
             *sampling = find(op.getSampling());
    if (logits && masses && sampling)
      *masses = share(
          getChunkMasses(std::get<Tensor>(**logits), std::get<Ints>(**sampling), op.getChunk()));
  });
}

llvm::Expected<Values> InputMaker::make() {
  gatherFacts();
  for (auto [role, argument] : llvm::zip(facts.roles, function.getArguments())) {
    auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(argument.getType());
    if (!tensor || !tensor.getRank() || tensor.isDynamicDim(0))
      continue;
    if (role == Role::Positions || role == Role::Sequences || role == Role::TokenIds ||
        role == Role::ExpertIds || role == Role::Slots)
      dims.tokens = tensor.getDimSize(0);
    if (role == Role::OutputRows)
      dims.outputRows = tensor.getDimSize(0);
    if (role == Role::BlockTable)
      dims.sequences = tensor.getDimSize(0);
  }
  dims.sequences = std::min(dims.sequences, dims.tokens);
  Step step = drawStep();
  if (llvm::Error error = checkPositions(step))
    return error;
  Values values;
  for (auto [role, argument] : llvm::zip(facts.roles, function.getArguments())) {
    int64_t rows = getRows(argument.getArgNumber(), role);
    auto value = fill(role, argument.getType(), rows, step);
    if (!value)
      return value.takeError();
    values.push_back(share(std::move(*value)));
  }
  deriveSampling(values);
  return values;
}

llvm::Expected<Values> moec::reference::makeRandomInputs(mlir::FunctionOpInterface function,
                                                         const InputDims &dims, uint64_t seed) {
  if (dims.tokens < 1 || dims.sequences < 1 || dims.outputRows < 1)
    return llvm::createStringError("tokens, sequences and output rows must be positive");
  if (function.isExternal())
    return llvm::createStringError("'" + function.getName() + "' has no body");
  return InputMaker(function, dims, seed).make();
}

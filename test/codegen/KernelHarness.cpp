// Loads kernel images from memory and runs their tiles.
#include "test/codegen/KernelHarness.h"

#include "codegen/target/amd/AmdTarget.h"
#include "codegen/target/nvidia/NvidiaTarget.h"
#include "dialects/moe/CacheRow.h"
#include "dialects/moe/Recipe.h"
#include "dialects/reference/Scope.h"
#include "dialects/reference/SmallFloat.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace moec;
using namespace moec::test;

//===----------------------------------------------------------------------===//
// SlotMemory
//===----------------------------------------------------------------------===//

static constexpr int64_t kGuardBytes = 256;
static constexpr uint8_t kGuard = 0xA5;

SlotMemory::SlotMemory(MemRefType type, int64_t leading, int64_t pages) : type(type) {
  SmallVector<int64_t> shape(type.getShape());
  if (ShapedType::isDynamic(shape[0]))
    shape[0] = leading;
  if (shape.size() == 2 && ShapedType::isDynamic(shape[1]))
    shape[1] = pages;
  bool flat = shape.size() == 1;
  numColumns = flat ? 1 : shape.back();
  numRows = 1;
  for (int64_t size : ArrayRef(shape).drop_back(flat ? 0 : 1))
    numRows *= size;
  SmallVector<int64_t> strides = type.getStridesAndOffset().first;
  stride = flat ? strides[0] : strides[strides.size() - 2];
  if (ShapedType::isDynamic(stride))
    stride = pages;
  elementBytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  span = numRows ? ((numRows - 1) * stride + numColumns) * elementBytes : 0;
  int64_t bytes = kGuardBytes + llvm::alignTo(span + kGuardBytes, 64);
  memory.reset(static_cast<uint8_t *>(std::aligned_alloc(64, bytes)), std::free);
  std::memset(memory.get(), kGuard, bytes);
  base = memory.get() + kGuardBytes;
}

uint8_t *SlotMemory::element(int64_t row, int64_t column) const {
  if (row < 0 || row >= numRows || column < 0 || column >= numColumns)
    throw std::out_of_range("no such element");
  return base + (row * stride + column) * elementBytes;
}

uint32_t SlotMemory::bits(int64_t row, int64_t column) const {
  uint32_t bits = 0;
  std::memcpy(&bits, element(row, column), elementBytes);
  return bits;
}

void SlotMemory::setBits(int64_t row, int64_t column, uint32_t bits) {
  std::memcpy(element(row, column), &bits, elementBytes);
}

double SlotMemory::at(int64_t row, int64_t column) const {
  auto semantics = dyn_cast<FloatType>(type.getElementType());
  if (!semantics)
    return static_cast<int32_t>(bits(row, column));
  llvm::APFloat value(semantics.getFloatSemantics(),
                      llvm::APInt(elementBytes * 8, bits(row, column)));
  return value.convertToDouble();
}

void SlotMemory::set(int64_t row, int64_t column, double value) {
  auto semantics = dyn_cast<FloatType>(type.getElementType());
  if (!semantics)
    return setBits(row, column, static_cast<int32_t>(value));
  llvm::APFloat converted(value);
  bool losesInfo;
  converted.convert(semantics.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  setBits(row, column, converted.bitcastToAPInt().getZExtValue());
}

SlotMemory SlotMemory::clone() const {
  SlotMemory copy = *this;
  int64_t bytes = kGuardBytes + llvm::alignTo(span + kGuardBytes, 64);
  copy.memory.reset(static_cast<uint8_t *>(std::aligned_alloc(64, bytes)), std::free);
  std::memcpy(copy.memory.get(), memory.get(), bytes);
  copy.base = copy.memory.get() + kGuardBytes;
  return copy;
}

void SlotMemory::poison() {
  for (int64_t row = 0; row < numRows; ++row)
    std::memset(base + row * stride * elementBytes, 0xFF, numColumns * elementBytes);
}

bool SlotMemory::guardsIntact() const {
  auto intact = [](const uint8_t *from, const uint8_t *to) {
    return std::all_of(from, to, [](uint8_t byte) { return byte == kGuard; });
  };
  if (!intact(memory.get(), base) || !intact(base + span, base + span + kGuardBytes))
    return false;
  for (int64_t row = 0; row + 1 < numRows; ++row)
    if (!intact(base + (row * stride + numColumns) * elementBytes,
                base + (row + 1) * stride * elementBytes))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// KernelHarness
//===----------------------------------------------------------------------===//

std::unique_ptr<MLIRContext> moec::test::makeContext() {
  DialectRegistry registry;
  registry.insert<func::FuncDialect, moe::MoeDialect, kern::KernDialect>();
  codegen::registerCpuTarget(registry);
  codegen::registerAmdTargets(registry);
  codegen::registerNvidiaTargets(registry);
  auto context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  context->printOpOnDiagnostic(false);
  return context;
}

/// Collects the diagnostics of `action` and throws them when it fails.
template <typename Action> static auto orThrow(MLIRContext &context, Action action) {
  std::string messages;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    messages += diagnostic.str() + "\n";
    return success();
  });
  auto result = action();
  if (!result)
    throw std::runtime_error(messages);
  return result;
}

OwningOpRef<ModuleOp> moec::test::parseModule(StringRef text, MLIRContext &context) {
  return orThrow(context, [&] { return parseSourceString<ModuleOp>(text, &context); });
}

std::string moec::test::getFailure(StringRef text, reference::InputDims dims) {
  try {
    KernelHarness harness(text, dims);
  } catch (const std::runtime_error &error) {
    return error.what();
  }
  return "";
}

std::string moec::test::replaceAll(std::string text, const std::string &from,
                                   const std::string &to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

KernelHarness::KernelHarness(StringRef text, reference::InputDims dims, StringRef target,
                             uint64_t seed)
    : context(makeContext()), random(seed) {
  module = parseModule(text, *context);
  kernel = *module->getOps<kern::KernelOp>().begin();
  compile(target);
  setDims(dims, seed);
}

KernelHarness::~KernelHarness() {
  if (library)
    dlclose(library);
}

void KernelHarness::compile(StringRef name) {
  (*module)->setAttr(kern::kTargetAttr, StringAttr::get(context.get(), name));
  std::string messages;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    messages += diagnostic.str() + "\n";
    return success();
  });
  auto *target = kern::getTarget(*module);
  if (!target)
    throw std::runtime_error(messages);
  if (!kernel.getSchedule())
    kernel.setScheduleAttr(target->chooseSchedule(kernel));
  grid = target->getGrid(kernel);
  auto *cpu = dynamic_cast<const codegen::CpuTarget *>(target);
  if (!cpu)
    return;
  llvm::Expected<codegen::Image> compiled = codegen::emitImage(*module, *cpu);
  if (!compiled)
    throw std::runtime_error(messages + llvm::toString(compiled.takeError()));
  image = std::move(*compiled);

  int file = memfd_create("kernels", 0);
  if (::write(file, image.bytes.data(), image.bytes.size()) != ssize_t(image.bytes.size()))
    throw std::runtime_error("cannot write the image");
  library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  close(file);
  if (!library)
    throw std::runtime_error(dlerror());
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

void KernelHarness::setDims(reference::InputDims newDims, uint64_t seed) {
  dims = newDims;
  dims.sequences = std::min(dims.sequences, dims.tokens); // as makeRandomInputs does
  slots.clear();
  slotOf.clear();
  llvm::Expected<reference::Values> values = reference::makeRandomInputs(kernel, dims, seed);
  if (!values)
    throw std::runtime_error(llvm::toString(values.takeError()));
  int64_t cacheRows = 0;
  for (auto [type, value] : llvm::zip(kernel.getArgumentTypes(), *values)) {
    if (isa<moe::CacheType>(type))
      cacheRows = reference::getShape(*value)[0];
    else if (isa<RankedTensorType>(type) && moe::getShape(type).size() == 2 &&
             ShapedType::isDynamic(moe::getShape(type)[1]))
      pages = reference::getShape(*value)[1];
  }
  for (const codegen::Slot &slot : codegen::getSlots(kernel)) {
    int64_t leading = cacheRows;
    if (auto rows = dyn_cast<kern::RowsAttr>(slot.rows))
      leading = getDim(rows.getDim()) * rows.getMultiplier();
    slots.emplace_back(slot.type, leading, pages);
    bool second = !slotOf.empty() && slotOf.back().first == slot.value;
    slotOf.push_back({slot.value, second});
  }
  for (auto [i, value] : llvm::enumerate(*values))
    write(i, *value);
  kernel.walk([&](moe::RopeOp rope) {
    auto table = dyn_cast_or_null<BlockArgument>(rope.getTable());
    if (!table)
      return;
    SlotMemory &memory = argument(table.getArgNumber());
    auto entries = moe::computeRopeTable(rope.getRope(), memory.rows());
    for (int64_t i = 0; i < memory.size(); ++i)
      memory.setFlat(i, entries[i]);
  });
}

template <typename T> static void writeDense(SlotMemory &memory, const reference::Dense<T> &dense) {
  if (dense.data.empty()) // InputDims::shapesOnly
    return;
  if (memory.size() != static_cast<int64_t>(dense.data.size()))
    throw std::runtime_error("the reference's argument has another size than the kernel's");
  for (int64_t i = 0; i < memory.size(); ++i)
    memory.setFlat(i, dense.data[i]);
}

template <typename T> static reference::Dense<T> readDense(const SlotMemory &memory) {
  SmallVector<int64_t> shape(memory.type.getShape());
  if (ShapedType::isDynamic(shape[0]))
    shape[0] = memory.rows();
  if (shape.size() == 2 && ShapedType::isDynamic(shape[1]))
    shape[1] = memory.columns();
  reference::Dense<T> dense{ArrayRef<int64_t>(shape)};
  for (int64_t i = 0; i < memory.size(); ++i)
    dense.data[i] = static_cast<T>(memory.atFlat(i));
  return dense;
}

/// A row of a quantized cache, as bytes.
static void encodeCacheRow(moe::CacheType type, const double *row, SlotMemory &memory,
                           int64_t index) {
  moe::CacheRow layout = moe::getCacheRow(type);
  auto put = [&](int64_t at, const void *data, int64_t size) {
    for (int64_t i = 0; i < size; ++i)
      memory.setBits(index, at + i, static_cast<const uint8_t *>(data)[i]);
  };
  std::vector<double> codes(layout.block);
  for (int64_t first = 0; first < layout.codes; first += layout.block) {
    int64_t size = std::min(layout.block, layout.codes - first);
    auto scale = float(reference::quantizeCacheBlock(row + first, size, codes.data()));
    put(layout.getScalesOffset() + first / layout.block * 4, &scale, 4);
    for (int64_t i = 0; i < size; ++i)
      memory.setBits(index, first + i, reference::SmallFloat::e4m3().encode(codes[i]));
  }
  for (int64_t i = 0; i < layout.tail; ++i) {
    auto bits = uint16_t(reference::SmallFloat::bf16().encode(row[layout.codes + i]));
    put(layout.getTailOffset() + 2 * i, &bits, 2);
  }
}

static void decodeCacheRow(moe::CacheType type, const SlotMemory &memory, int64_t index,
                           double *row) {
  moe::CacheRow layout = moe::getCacheRow(type);
  auto get = [&](int64_t at, auto value) {
    uint8_t bytes[sizeof value];
    for (size_t i = 0; i < sizeof value; ++i)
      bytes[i] = uint8_t(memory.bits(index, at + i));
    std::memcpy(&value, bytes, sizeof value);
    return value;
  };
  for (int64_t i = 0; i < layout.codes; ++i) {
    auto scale = get(layout.getScalesOffset() + i / layout.block * 4, float());
    row[i] = reference::SmallFloat::e4m3().decode(memory.bits(index, i)) * scale;
  }
  for (int64_t i = 0; i < layout.tail; ++i)
    row[layout.codes + i] =
        reference::SmallFloat::bf16().decode(get(layout.getTailOffset() + 2 * i, uint16_t()));
}

/// The type of argument `value`, when it is a cache of quantized rows.
static moe::CacheType getQuantizedCache(kern::KernelOp kernel, unsigned value) {
  if (value >= kernel.getNumArguments())
    return {};
  auto cache = dyn_cast<moe::CacheType>(kernel.getArgumentTypes()[value]);
  return cache && moe::getCacheRow(cache).isQuantized() ? cache : moe::CacheType();
}

void KernelHarness::write(unsigned value, const reference::Value &contents) {
  if (moe::CacheType type = getQuantizedCache(kernel, value)) {
    auto &rows = std::get<reference::Cache>(contents).rows;
    for (int64_t row = 0; !rows.data.empty() && row < rows.rows(); ++row)
      encodeCacheRow(type, rows.row(row), argument(value), row);
    return;
  }
  if (auto *tensor = std::get_if<reference::Tensor>(&contents))
    return writeDense(argument(value), *tensor);
  if (auto *ints = std::get_if<reference::Ints>(&contents))
    return writeDense(argument(value), *ints);
  if (auto *cache = std::get_if<reference::Cache>(&contents))
    return writeDense(argument(value), cache->rows);
  auto &quantized = std::get<reference::Quantized>(contents);
  writeDense(argument(value, 0), quantized.codes);
  writeDense(argument(value, 1), quantized.scales);
}

reference::Value KernelHarness::read(unsigned value, Type type) {
  if (moe::CacheType cache = getQuantizedCache(kernel, value)) {
    SlotMemory &memory = argument(value);
    reference::Cache contents{reference::Tensor({memory.rows(), cache.getWidth()}),
                              cache.getPage()};
    for (int64_t row = 0; row < memory.rows(); ++row)
      decodeCacheRow(cache, memory, row, contents.rows.row(row));
    return contents;
  }
  if (auto quantized = dyn_cast<moe::QTensorType>(type)) {
    auto block = quantized.getScheme().getBlock();
    return reference::Quantized{readDense<double>(argument(value, 0)),
                                readDense<double>(argument(value, 1)),
                                {block[0], block[1]}};
  }
  if (auto cache = dyn_cast<moe::CacheType>(type))
    return reference::Cache{readDense<double>(argument(value)), cache.getPage()};
  if (cast<RankedTensorType>(type).getElementType().isInteger())
    return readDense<int32_t>(argument(value));
  return readDense<double>(argument(value));
}

reference::Values KernelHarness::readArguments() {
  reference::Values values;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes()))
    values.push_back(reference::share(read(i, type)));
  return values;
}

SlotMemory &KernelHarness::argument(unsigned index, unsigned part) {
  auto found = std::find(slotOf.begin(), slotOf.end(), std::pair(index, part));
  if (found == slotOf.end())
    throw std::out_of_range("no such slot");
  return slots[found - slotOf.begin()];
}

SlotMemory &KernelHarness::result(unsigned index, unsigned part) {
  return argument(kernel.getNumArguments() + index, part);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

int64_t KernelHarness::getDim(kern::Dim dim) const {
  switch (dim) {
  case kern::Dim::One:
    return 1;
  case kern::Dim::Tokens:
    return dims.tokens;
  case kern::Dim::Sequences:
    return dims.sequences;
  case kern::Dim::OutputRows:
    return dims.outputRows;
  }
  return 0;
}

int64_t KernelHarness::countTiles() const {
  int64_t tiles = llvm::divideCeil(getDim(grid.getDim()) * grid.getMultiplier(), grid.getDivisor());
  if (grid.getCap())
    tiles = std::min(tiles, grid.getCap());
  return grid.getFactor() * tiles;
}

bool KernelHarness::isCounters(size_t slot) {
  return slotOf[slot].first == kernel.getNumArguments() + kernel.getNumResults();
}

bool KernelHarness::isOutput(unsigned slot) const {
  return slotOf[slot].first >= const_cast<kern::KernelOp &>(kernel).getNumArguments();
}

std::array<int64_t, 5> KernelHarness::getDims() const {
  return {1, dims.tokens, dims.sequences, dims.outputRows, pages};
}

void KernelHarness::poisonResults() {
  for (size_t i = 0; i < slots.size(); ++i)
    if (isCounters(i))
      std::memset(slots[i].data(), 0, 4 * slots[i].size());
    else if (isOutput(i))
      slots[i].poison();
}

void KernelHarness::run() {
  using Function = void (*)(void *const *, const int64_t *, int64_t, void *);
  auto function = reinterpret_cast<Function>(dlsym(library, kernel.getSymName().str().c_str()));
  if (!function)
    throw std::runtime_error("the image lacks its kernel");
  poisonResults();

  std::vector<void *> args;
  for (SlotMemory &slot : slots)
    args.push_back(slot.data());
  int64_t sizes[] = {1, dims.tokens, dims.sequences, dims.outputRows, pages};
  auto type = MemRefType::get({int64_t(image.kernels[0].workspaceBytes)},
                              IntegerType::get(context.get(), 8));
  SlotMemory workspace(type, 0, 0);
  std::vector<int64_t> order(countTiles());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (int64_t tile : order) {
    workspace.poison();
    function(args.data(), sizes, tile, workspace.data());
  }
  for (size_t i = 0; i < slots.size(); ++i)
    for (int64_t n = 0; isCounters(i) && n < slots[i].size(); ++n)
      if (slots[i].atFlat(n) != 0)
        throw std::runtime_error("the kernel did not leave its counters zero");
  if (!workspace.guardsIntact())
    throw std::runtime_error("the kernel wrote outside of its workspace");
  for (size_t i = 0; i < slots.size(); ++i)
    if (!slots[i].guardsIntact())
      throw std::runtime_error("the kernel wrote outside of slot " + std::to_string(i));
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

static double getRelativeError(ArrayRef<double> values, ArrayRef<double> expected) {
  double difference = 0, total = 0;
  for (auto [value, reference] : llvm::zip_equal(values, expected)) {
    difference += (value - reference) * (value - reference);
    total += reference * reference;
  }
  return total ? std::sqrt(difference / total) : std::sqrt(difference);
}

static double getError(const reference::Value &value, const reference::Value &expected) {
  auto floats = [](const reference::Value &value) {
    if (auto *quantized = std::get_if<reference::Quantized>(&value))
      return quantized->dequantize().data;
    if (auto *cache = std::get_if<reference::Cache>(&value))
      return cache->rows.data;
    return std::get<reference::Tensor>(value).data;
  };
  auto *ints = std::get_if<reference::Ints>(&value);
  if (!ints)
    return getRelativeError(floats(value), floats(expected));
  double different = 0;
  for (auto [got, wanted] : llvm::zip_equal(ints->data, std::get<reference::Ints>(expected).data))
    different += got != wanted;
  return different;
}

/// The argument that a cache result is.
static unsigned getCacheArgument(Value cache) {
  while (auto append = cache.getDefiningOp<moe::CacheAppendOp>())
    cache = append.getCache();
  return cast<BlockArgument>(cache).getArgNumber();
}

unsigned KernelHarness::getWritten(unsigned index) {
  if (isa<moe::CacheType>(kernel.getResultTypes()[index]))
    return getCacheArgument(kernel.getYielded()[index]);
  return kernel.getNumArguments() + index;
}

std::vector<reference::Value> KernelHarness::interpret() {
  reference::RandomWeights weights(0); // a kernel has none
  reference::WeightStore store(weights);
  auto expected = reference::Interpreter(*module, store).run(kernel, readArguments());
  if (!expected)
    throw std::runtime_error(llvm::toString(expected.takeError()));
  std::vector<reference::Value> values;
  for (auto &value : *expected)
    values.push_back(*value);
  return values;
}

bool KernelHarness::isWritten(unsigned slot) {
  for (unsigned result = 0; result < kernel.getNumResults(); ++result)
    if (slotOf[slot].first == getWritten(result))
      return true;
  return false;
}

std::map<unsigned, SlotMemory> KernelHarness::interpretSlots() {
  poisonResults();
  std::vector<reference::Value> expected = interpret();
  std::vector<SlotMemory> before;
  for (SlotMemory &slot : slots)
    before.push_back(slot.clone());
  std::map<unsigned, SlotMemory> written;
  for (unsigned i = 0; i < expected.size(); ++i)
    write(getWritten(i), expected[i]);
  for (unsigned i = 0; i < slots.size(); ++i)
    if (isWritten(i))
      written.emplace(i, slots[i]);
  slots = before;
  return written;
}

std::vector<double> KernelHarness::compare() {
  std::vector<reference::Value> expected = interpret();
  run();
  std::vector<double> errors;
  for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
    errors.push_back(getError(read(getWritten(i), type), expected[i]));
  return errors;
}

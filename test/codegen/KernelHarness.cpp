// Loads kernel images from memory and runs their tiles.
#include "test/codegen/KernelHarness.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <dlfcn.h>
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

void SlotMemory::fill(std::mt19937 &random) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int64_t row = 0; row < numRows; ++row)
    for (int64_t column = 0; column < numColumns; ++column)
      if (!isa<FloatType>(type.getElementType())) {
        set(row, column, 0);
      } else if (elementBytes > 1) {
        set(row, column, uniform(random));
      } else {
        uint32_t code = random() & 0xFF;
        setBits(row, column, (code & 0x7F) == 0x7F ? 0 : code);
      }
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

KernelHarness::KernelHarness(StringRef text, Sizes sizes, StringRef targetName, unsigned seed)
    : sizes(sizes), context(makeContext()), random(seed) {
  module = parseModule(text, *context);
  (*module)->setAttr(kern::kTargetAttr, StringAttr::get(context.get(), targetName));
  kernel = *module->getOps<kern::KernelOp>().begin();
  auto *target = static_cast<const codegen::CpuTarget *>(
      orThrow(*context, [&] { return kern::getTarget(*module); }));
  if (!kernel.getSchedule())
    kernel.setScheduleAttr(target->chooseSchedule(kernel));
  grid = target->getGrid(kernel);

  std::string messages;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    messages += diagnostic.str() + "\n";
    return success();
  });
  llvm::Expected<codegen::Image> compiled = codegen::emitImage(*module, *target);
  if (!compiled)
    throw std::runtime_error(messages + llvm::toString(compiled.takeError()));
  image = std::move(*compiled);

  int file = memfd_create("kernels", 0);
  if (write(file, image.bytes.data(), image.bytes.size()) != ssize_t(image.bytes.size()))
    throw std::runtime_error("cannot write the image");
  library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  close(file);
  if (!library)
    throw std::runtime_error(dlerror());

  for (const codegen::Slot &slot : codegen::getSlots(kernel)) {
    int64_t leading = sizes.cacheRows;
    if (auto rows = dyn_cast<kern::RowsAttr>(slot.rows))
      leading = getDim(rows.getDim()) * rows.getMultiplier();
    slots.emplace_back(slot.type, leading, sizes.pages);
    bool second = !slotOf.empty() && slotOf.back().first == slot.value;
    slotOf.push_back({slot.value, second});
    slots.back().fill(random);
    if (second) // scales are positive
      for (int64_t i = 0; i < slots.back().size(); ++i)
        slots.back().setFlat(i, 0.01 + std::fabs(slots.back().atFlat(i)));
  }
}

KernelHarness::~KernelHarness() {
  if (library)
    dlclose(library);
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

int64_t KernelHarness::getDim(kern::Dim dim) const {
  switch (dim) {
  case kern::Dim::One:
    return 1;
  case kern::Dim::Tokens:
    return sizes.tokens;
  case kern::Dim::Sequences:
    return sizes.sequences;
  case kern::Dim::OutputRows:
    return sizes.outputRows;
  }
  return 0;
}

int64_t KernelHarness::countTiles() const {
  int64_t tiles = llvm::divideCeil(getDim(grid.getDim()) * grid.getMultiplier(), grid.getDivisor());
  if (grid.getCap())
    tiles = std::min(tiles, grid.getCap());
  return grid.getFactor() * tiles;
}

void KernelHarness::run() {
  using Function = void (*)(void *const *, const int64_t *, int64_t, void *);
  auto function = reinterpret_cast<Function>(dlsym(library, kernel.getSymName().str().c_str()));
  if (!function)
    throw std::runtime_error("the image lacks its kernel");
  for (size_t i = 0; i < slots.size(); ++i)
    if (slotOf[i].first >= kernel.getNumArguments())
      slots[i].poison();

  std::vector<void *> args;
  for (SlotMemory &slot : slots)
    args.push_back(slot.data());
  int64_t dims[] = {1, sizes.tokens, sizes.sequences, sizes.outputRows, sizes.pages};
  auto type = MemRefType::get({int64_t(image.kernels[0].workspaceBytes)},
                              IntegerType::get(context.get(), 8));
  SlotMemory workspace(type, 0, 0);
  std::vector<int64_t> order(countTiles());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (int64_t tile : order) {
    workspace.poison();
    function(args.data(), dims, tile, workspace.data());
  }
  if (!workspace.guardsIntact())
    throw std::runtime_error("the kernel wrote outside of its workspace");
  for (size_t i = 0; i < slots.size(); ++i)
    if (!slots[i].guardsIntact())
      throw std::runtime_error("the kernel wrote outside of slot " + std::to_string(i));
}

double KernelHarness::relativeError(const SlotMemory &result, ArrayRef<double> expected) {
  if (static_cast<int64_t>(expected.size()) != result.size())
    throw std::runtime_error("expected values of another size");
  double difference = 0, total = 0;
  for (int64_t i = 0; i < result.size(); ++i) {
    difference += std::pow(result.atFlat(i) - expected[i], 2);
    total += expected[i] * expected[i];
  }
  return total ? std::sqrt(difference / total) : std::sqrt(difference);
}

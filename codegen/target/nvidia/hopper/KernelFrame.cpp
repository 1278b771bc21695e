#include "codegen/target/nvidia/hopper/KernelFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec::hopper;

static constexpr llvm::StringLiteral kSharedSymbol = "moec_shared";

/// The block's dynamic shared memory, one symbol for all kernels of a module.
static LLVM::GlobalOp getSharedMemory(ModuleOp module) {
  if (auto global = module.lookupSymbol<LLVM::GlobalOp>(kSharedSymbol))
    return global;
  auto b = ImplicitLocOpBuilder::atBlockBegin(module.getLoc(), module.getBody());
  return LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/false,
                                LLVM::Linkage::External, kSharedSymbol, Attribute(),
                                /*alignment=*/1024, /*addrSpace=*/3);
}

KernelFrame::KernelFrame(ModuleOp module, llvm::StringRef symbol, unsigned numSlots,
                         const LaunchShape &shape)
    : b(ImplicitLocOpBuilder::atBlockEnd(module.getLoc(), module.getBody())), symbol(symbol),
      numSlots(numSlots), shape(shape) {
  MLIRContext *context = b.getContext();
  context->loadDialect<arith::ArithDialect, math::MathDialect, scf::SCFDialect>();
  loadInstructions(context);
  LLVM::GlobalOp shared = getSharedMemory(module);
  Type pointer = LLVM::LLVMPointerType::get(context, /*addressSpace=*/1);
  SmallVector<Type> types(numSlots + 1, pointer);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types);
  auto llvmFunction = LLVM::LLVMFuncOp::create(b, symbol, type);
  function = llvmFunction;
  entry = llvmFunction.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  base = {&b, LLVM::AddressOfOp::create(b, shared).getResult()};

  function->setAttr("nvvm.kernel", b.getUnitAttr());
  function->setAttr("nvvm.maxntid",
                    b.getDenseI32ArrayAttr({static_cast<int32_t>(shape.threads), 1, 1}));
  function->setAttr("nvvm.minctasm", b.getI32IntegerAttr(static_cast<int32_t>(shape.minBlocks)));
  if (shape.cluster > 1)
    function->setAttr("nvvm.cluster_dim",
                      b.getDenseI32ArrayAttr({static_cast<int32_t>(shape.cluster), 1, 1}));
}

Global KernelFrame::getSlot(unsigned slot) { return {&b, entry->getArgument(slot)}; }

Int KernelFrame::getDim(unsigned dim) {
  Global dims = Global{&b, entry->getArgument(numSlots)} + 8 * dim;
  return fromWide(b, load(dims, b.getI64Type(), 8));
}

Value KernelFrame::addTensorMap(TensorMap map) {
  maps.push_back(std::move(map));
  return entry->addArgument(LLVM::LLVMPointerType::get(b.getContext()), b.getLoc());
}

Shared KernelFrame::allocate(int64_t bytes, int64_t alignment) {
  int64_t offset = llvm::alignTo(sharedBytes, alignment);
  sharedBytes = offset + bytes;
  return base + offset;
}

llvm::Error KernelFrame::finish() {
  for (const TensorMap &map : maps)
    if (llvm::Error error = map.verify())
      return llvm::createStringError("kernel '" + symbol +
                                     "': " + llvm::toString(std::move(error)));
  if (sharedBytes > kMaxSharedBytes)
    return llvm::createStringError("kernel '%s' uses %lld bytes of shared memory, a block has %lld",
                                   symbol.c_str(), static_cast<long long>(sharedBytes),
                                   static_cast<long long>(kMaxSharedBytes));
  LLVM::ReturnOp::create(b, ValueRange());
  auto llvmFunction = cast<LLVM::LLVMFuncOp>(function);
  MLIRContext *context = b.getContext();
  llvmFunction.setFunctionType(LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(context), llvm::to_vector(entry->getArgumentTypes())));
  Type bytes =
      LLVM::LLVMStructType::getLiteral(context, {LLVM::LLVMArrayType::get(b.getI8Type(), 128)});
  SmallVector<Attribute> attributes(numSlots + 1, b.getDictionaryAttr({}));
  attributes.append(maps.size(),
                    b.getDictionaryAttr({b.getNamedAttr("llvm.align", b.getI64IntegerAttr(64)),
                                         b.getNamedAttr("llvm.byval", TypeAttr::get(bytes)),
                                         b.getNamedAttr("nvvm.grid_constant", b.getUnitAttr())}));
  llvmFunction.setArgAttrsAttr(b.getArrayAttr(attributes));
  return llvm::Error::success();
}

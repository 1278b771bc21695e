#include "codegen/tools/moec/Diagnostics.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

/// "layers.3.mlp: ", or nothing for a place without a name.
static std::string placeText(Location location) {
  std::string text;
  location->walk([&](Location part) {
    auto name = dyn_cast<NameLoc>(part);
    if (!name)
      return WalkResult::advance();
    text = name.getName().str() + ": ";
    return WalkResult::interrupt();
  });
  return text;
}

static llvm::StringRef severityText(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Remark:
    return "remark";
  case DiagnosticSeverity::Note:
    return "note";
  }
  return "";
}

static void printOne(Diagnostic &diagnostic) {
  llvm::errs() << "moec: " << severityText(diagnostic.getSeverity()) << ": "
               << placeText(diagnostic.getLocation()) << diagnostic.str() << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    printOne(note);
}

void moec::printDiagnostics(MLIRContext &context) {
  context.printOpOnDiagnostic(false);
  context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
    printOne(diagnostic);
    return success();
  });
}

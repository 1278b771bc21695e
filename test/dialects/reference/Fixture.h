// Runs one op, or a small module, on values written in the test.
#pragma once

#include "dialects/reference/Interpreter.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

namespace moec::reference::test {

inline ValuePtr floats(Shape shape, std::vector<double> data) {
  return share(Tensor(shape, std::move(data)));
}
inline ValuePtr ints(Shape shape, std::vector<int32_t> data) {
  return share(Ints(shape, std::move(data)));
}

class ReferenceTest : public testing::Test {
protected:
  ReferenceTest() {
    context.loadDialect<mlir::func::FuncDialect, moe::MoeDialect, kern::KernDialect>();
  }

  void parse(const std::string &text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    ASSERT_TRUE(module);
  }

  /// The results of @f.
  Values run(const Values &arguments) {
    auto results = Interpreter(*module, weights).run("f", arguments);
    if (!results) {
      ADD_FAILURE() << llvm::toString(results.takeError());
      return {};
    }
    return *results;
  }

  /// The results of an op with these operand types, attributes and result types, e.g.
  /// evaluate("moe.slice", "tensor<?x4xf32>", "offset = 1 : i64", "tensor<?x2xf32>", {x}).
  Values evaluate(const std::string &op, const std::string &operandTypes,
                  const std::string &attributes, const std::string &resultTypes,
                  const Values &arguments) {
    parseOp(op, operandTypes, attributes, resultTypes, arguments.size());
    return run(arguments);
  }

  /// The error of the same.
  std::string fail(const std::string &op, const std::string &operandTypes,
                   const std::string &attributes, const std::string &resultTypes,
                   const Values &arguments) {
    parseOp(op, operandTypes, attributes, resultTypes, arguments.size());
    auto results = Interpreter(*module, weights).run("f", arguments);
    return results ? "(no error)" : llvm::toString(results.takeError());
  }

  static const std::vector<double> &data(const ValuePtr &value) {
    return std::get<Tensor>(*value).data;
  }
  static const std::vector<int32_t> &intData(const ValuePtr &value) {
    return std::get<Ints>(*value).data;
  }
  static void expectNear(const ValuePtr &value, std::vector<double> expected) {
    ASSERT_EQ(data(value).size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(data(value)[i], expected[i], 1e-12) << "element " << i;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  RandomWeights random{1};
  WeightStore weights{random};

private:
  void parseOp(const std::string &op, const std::string &operandTypes,
               const std::string &attributes, const std::string &resultTypes, size_t operands) {
    auto type = llvm::cast<mlir::FunctionType>(
        mlir::parseType("(" + operandTypes + ") -> (" + resultTypes + ")", &context));
    ASSERT_EQ(type.getNumInputs(), operands);
    mlir::OpBuilder builder(&context);
    module = mlir::ModuleOp::create(builder.getUnknownLoc());
    builder.setInsertionPointToEnd(module->getBody());
    auto function = mlir::func::FuncOp::create(builder, builder.getUnknownLoc(), "f", type);
    builder.setInsertionPointToStart(function.addEntryBlock());
    mlir::OperationState state(builder.getUnknownLoc(), op);
    state.addOperands(llvm::to_vector_of<mlir::Value>(function.getArguments()));
    state.addTypes(type.getResults());
    auto dictionary =
        llvm::cast<mlir::DictionaryAttr>(mlir::parseAttribute("{" + attributes + "}", &context));
    state.addAttributes(dictionary.getValue());
    mlir::Operation *created = builder.create(state);
    mlir::func::ReturnOp::create(builder, builder.getUnknownLoc(), created->getResults());
    ASSERT_TRUE(mlir::succeeded(module->verify()));
  }
};

} // namespace moec::reference::test

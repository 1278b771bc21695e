// The operators of a chat template's expressions, on values: attributes, items,
// slices, arithmetic, comparison. As Python's, less floats.
#pragma once

#include "runtime/text/TemplateBuiltins.h"

namespace moec::rt::text {

// object.name, or undefined.
Value attributeOf(const Value &object, const std::string &name, int line);
// object[index], or undefined.
Value itemOf(const Value &object, const Value &index, int line, TemplateBudget &budget);
// object[start:stop:step]; each bound a number, or none for one left out.
Value sliceOf(const Value &object, const Value &start, const Value &stop, const Value &step,
              int line, TemplateBudget &budget);

// left <op> right: + - * // % ~.
Value applyOperator(const std::string &op, const Value &left, const Value &right, int line,
                    TemplateBudget &budget);
// left <op> right: == != < > <= >= in, not in.
bool compareValues(const std::string &op, const Value &left, const Value &right, int line,
                   TemplateBudget &budget);

} // namespace moec::rt::text

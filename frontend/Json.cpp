#include "frontend/Json.h"
#include "frontend/Errors.h"
#include <vector>

using namespace llvm;
using namespace moec::frontend;

namespace {

/// Builds the value bottom-up; returns false at the first fault, kept in
/// `fault`.
class Builder : public nlohmann::json_sax<Json> {
public:
  Json root;
  std::string fault;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t &) override { return add(value); }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &) override { return fail("binary value"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t &name) override {
    if (stack.back()->contains(name))
      return fail("name '" + printable(name) + "' is given twice");
    pendingKey = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return fail("syntax error at byte " + std::to_string(position));
  }

private:
  static constexpr size_t maxDepth = 64;
  std::vector<Json *> stack; // open containers, outermost first
  std::string pendingKey;

  bool fail(std::string text) {
    fault = std::move(text);
    return false;
  }
  Json &place(Json value) {
    if (stack.empty())
      return root = std::move(value);
    if (stack.back()->is_array()) {
      stack.back()->push_back(std::move(value));
      return stack.back()->back();
    }
    return (*stack.back())[std::move(pendingKey)] = std::move(value);
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (stack.size() == maxDepth)
      return fail("nested deeper than 64 levels");
    stack.push_back(&place(std::move(value)));
    return true;
  }
  bool close() {
    stack.pop_back();
    return true;
  }
};

} // namespace

Expected<Json> moec::frontend::parseJson(StringRef text, StringRef where) {
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder))
    return makeError("'{0}' is not valid JSON: {1}", where, builder.fault);
  return std::move(builder.root);
}

std::string moec::frontend::kindOf(const Json &value) {
  switch (value.type()) {
  case Json::value_t::null:
    return "null";
  case Json::value_t::object:
    return "an object";
  case Json::value_t::array:
    return "a list";
  case Json::value_t::string:
    return "a string";
  case Json::value_t::boolean:
    return "a boolean";
  case Json::value_t::number_float:
    return "a number";
  default:
    return "an integer";
  }
}

std::string moec::frontend::shortText(const Json &value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

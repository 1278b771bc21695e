// What `moec inspect` prints, as text and as JSON. Only the bundle's own reader
// is used: nothing here knows the compiler.
#pragma once

#include "runtime/bundle/BundleFile.h"

#include <string>
#include <vector>

namespace moec {

struct InspectOptions {
  bool weights = false, plan = false, json = false;
  std::string kernel; // prints only this kernel's specification
};

void inspectAsText(const rt::BundleFile &bundle, const InspectOptions &options);
void inspectAsJson(const rt::BundleFile &bundle, const InspectOptions &options);

/// How often each kernel is launched, over all programs.
std::vector<uint64_t> countLaunches(const rt::fb::Manifest &manifest);

/// "f32", "f8e4m3fn".
std::string typeText(rt::fb::DType type);

/// "arena+4096", "weight 3", "token_ids", "cache 0".
std::string argText(const rt::fb::Manifest &manifest, const rt::fb::Arg &arg);

/// "min(cap, ceil(tokens * 8 / 16)) * 4", shortened where factors are 1.
std::string gridText(const rt::fb::Grid &grid);

/// A FlatBuffers string that may be absent.
inline std::string textOf(const flatbuffers::String *text) { return text ? text->str() : ""; }

} // namespace moec

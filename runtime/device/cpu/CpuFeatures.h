// Whether this CPU can run a bundle's machine code.
#pragma once

#include "runtime/bundle/Bundle_generated.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moec::rt {

/// Whether this CPU and its operating system offer a feature, named in LLVM's
/// spelling ("avx2", "sse4.1"); nothing when the name is unknown.
std::optional<bool> hasCpuFeature(std::string_view name);

/// Features of "x86-64", "x86-64-v2", "-v3", "-v4"; nothing for another name.
std::optional<std::vector<std::string_view>> featuresOfLevel(std::string_view arch);

/// Throws Error(Target) unless this CPU can run code for `target`. Names the
/// bundle, what is missing and what to compile for instead.
void checkCpuTarget(const fb::Target &target, const std::string &bundle);

} // namespace moec::rt

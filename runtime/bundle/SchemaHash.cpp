// Build-time program: moec-schema-hash <Bundle.fbs> <SchemaHash.h> writes a
// header with the XXH3-128 of the schema's text, so that a bundle made from
// another schema is refused.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <xxhash.h>

int main(int argc, char **argv) {
  if (argc != 3)
    return 1;
  std::ifstream in(argv[1], std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || text.empty()) {
    std::fprintf(stderr, "moec-schema-hash: cannot read '%s'\n", argv[1]);
    return 1;
  }
  XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  std::FILE *out = std::fopen(argv[2], "w");
  if (!out)
    return 1;
  std::fprintf(out,
               "// Generated from Bundle.fbs.\n#pragma once\n#include <cstdint>\n"
               "namespace moec::rt {\n"
               "// XXH3-128 of the schema's text: low, high.\n"
               "inline constexpr uint64_t kSchemaHash[2] = {0x%016llxull, "
               "0x%016llxull};\n"
               "} // namespace moec::rt\n",
               (unsigned long long)hash.low64, (unsigned long long)hash.high64);
  return std::fclose(out) == 0 ? 0 : 1;
}

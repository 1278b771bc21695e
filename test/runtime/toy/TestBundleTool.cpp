// moec-test-bundle OUT [weights=present|synthetic|none] [arch=A] [feature=F]
//                      [target=cpu|cuda] [cubin=FILE] [ptx=FILE] [cases=FILE] [files=FOLDER]
//                      [template=FILE] [eos=ID] [flip=OFFSET] [cut=BYTES]
// Writes the toy bundle for the command line's tests. `files` carries the
// tokenizer of a checkpoint folder, `template` a chat_template.jinja, `eos` (one
// id, or a list in brackets) a generation_config.json; `flip` and
// `cut` (from the end; negative offsets too) damage the finished file.
#include "test/runtime/toy/TestBundle.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

using namespace moec::rt;
using namespace moec::rt::test;

static void addFile(fb::ManifestT &m, const std::string &name, const std::string &content) {
  m.files.push_back(std::make_unique<fb::TextFileT>());
  m.files.back()->name = name;
  m.files.back()->text = content;
}

static BundleParts partsFor(std::map<std::string, std::string> &options) {
  std::string weights = options["weights"];
  ToyWeights kind = weights == "synthetic" ? ToyWeights::Synthetic
                    : weights == "none"    ? ToyWeights::None
                                           : ToyWeights::Present;
  auto code = [&](const char *name, Bytes otherwise) -> Bytes {
    return options[name].empty() ? std::move(otherwise) : readFile(options[name]);
  };
  BundleParts parts = options["target"] == "cuda"
                          ? cudaToyParts(kind, "sm_90a", code("cubin", {'c'}), code("ptx", {'p'}))
                          : toyParts(kind);
  fb::ManifestT &m = parts.manifest;
  if (!options["arch"].empty())
    m.target->arch = options["arch"];
  if (!options["feature"].empty())
    m.target->features.push_back(options["feature"]);
  if (!options["eos"].empty())
    addFile(m, "generation_config.json", "{\"eos_token_id\": " + options["eos"] + "}");
  if (!options["cases"].empty()) {
    Bytes cases = readFile(options["cases"]);
    addCases(parts, std::string(cases.begin(), cases.end()));
  }
  if (!options["files"].empty())
    for (const char *name : {"tokenizer.json", "tokenizer_config.json"}) {
      Bytes content = readFile(options["files"] + "/" + name);
      addFile(m, name, std::string(content.begin(), content.end()));
    }
  if (!options["template"].empty()) {
    Bytes content = readFile(options["template"]);
    addFile(m, "chat_template.jinja", std::string(content.begin(), content.end()));
  }
  return parts;
}

int main(int argc, char **argv) {
  if (argc < 2)
    return 2;
  std::map<std::string, std::string> options;
  for (int i = 2; i < argc; ++i) {
    std::string option = argv[i];
    size_t equals = option.find('=');
    options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  try {
    Bytes file = assemble(partsFor(options));
    if (!options["cut"].empty())
      file.resize(file.size() - std::stoul(options["cut"]));
    if (!options["flip"].empty()) {
      long at = std::stol(options["flip"]);
      file.at(at < 0 ? file.size() + at : at) ^= 1;
    }
    std::filesystem::create_directories(std::filesystem::path(argv[1]).parent_path());
    writeFile(argv[1], file);
  } catch (const std::exception &error) {
    std::cerr << "moec-test-bundle: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

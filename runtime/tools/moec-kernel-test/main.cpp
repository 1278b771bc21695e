// moec-kernel-test: runs a package of kernel tests on the device that it is
// compiled for and prints one line a case. Needs the package and a driver.
#include "runtime/bundle/Error.h"
#include "runtime/tools/moec-kernel-test/CaseRunner.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace moec::rt;

namespace {

struct Options {
  std::string package, filter;
  DeviceOptions device;
  bool noTiming = false, json = false;
};

double boundOf(const CaseResult &r, double bandwidth) {
  double seconds = r.bytes / bandwidth;
  return r.peakFlops > 0 ? std::max(seconds, r.flops / r.peakFlops) : seconds;
}

void printCase(const Case &c, const CaseResult &r, double bandwidth) {
  std::printf("%-56.56s %9.2e %9.2e %-4s", c.name.c_str(), r.maxAbs, r.l2,
              r.complaint.empty() ? "ok" : "FAIL");
  if (r.microseconds > 0) {
    double bound = boundOf(r, bandwidth) * 1e6;
    std::printf(" %10.2f %10.2f %6.2f", r.microseconds, bound, r.microseconds / bound);
  }
  std::printf("%s%s\n", r.complaint.empty() ? "" : "  ", r.complaint.c_str());
  std::fflush(stdout);
}

nlohmann::json jsonOf(const Case &c, const CaseResult &r, double bandwidth) {
  nlohmann::json out = {{"name", c.name},
                        {"max", r.maxAbs},
                        {"l2", r.l2},
                        {"pass", r.complaint.empty()},
                        {"complaint", r.complaint},
                        {"bytes", r.bytes},
                        {"flops", r.flops}};
  if (r.microseconds > 0) {
    out["microseconds"] = r.microseconds;
    out["bound_microseconds"] = boundOf(r, bandwidth) * 1e6;
  }
  return out;
}

int runPackage(const Options &o) {
  BundleFile bundle(o.package);
  std::vector<Case> cases = readCases(bundle);
  std::erase_if(cases, [&](const Case &c) { return c.name.find(o.filter) == std::string::npos; });
  auto device = createDevice(*bundle.manifest().target(), o.device);
  device->load(bundle);
  std::vector<MemoryNeed> needs = {{"inputs and expected outputs", device->weightMemory(bundle)}};
  device->checkRoom(needs);
  CaseRunner runner(*device, bundle, device->loadWeights(bundle, {}));
  bool timing = !o.noTiming && !o.device.launchByLaunch;
  double bandwidth =
      timing ? device->measureReadBandwidth(std::min<uint64_t>(1 << 30, device->freeMemory() / 2))
             : 0;
  if (!o.json) {
    std::printf("%s\n", device->describe().c_str());
    if (timing)
      std::printf("read bandwidth %.1f GB/s\n", bandwidth / 1e9);
    std::printf("%-56s %9s %9s %-4s%s\n", "case", "max/rms", "L2", "",
                timing ? "         us      bound  ratio" : "");
  }
  nlohmann::json report = nlohmann::json::array();
  size_t failed = 0;
  for (const Case &c : cases) {
    CaseResult result = runner.check(c);
    if (timing)
      result.microseconds = runner.time(c) * 1e6;
    failed += !result.complaint.empty();
    if (o.json)
      report.push_back(jsonOf(c, result, bandwidth));
    else
      printCase(c, result, bandwidth);
  }
  if (o.json)
    std::printf("%s\n", report.dump(2).c_str());
  else
    std::printf("%zu of %zu cases pass\n", cases.size() - failed, cases.size());
  return failed ? 1 : 0;
}

int run(int argc, char **argv) {
  CLI::App app{"Runs a package of kernel tests and compares what the kernels write.",
               "moec-kernel-test"};
  Options o;
  app.add_option("package", o.package, "a .moeb file whose entries are cases")->required();
  app.add_option("--filter", o.filter, "only cases whose names contain this");
  app.add_option("--device", o.device.index, "which GPU (default: 0)");
  app.add_flag("--no-graphs", o.device.launchByLaunch,
               "plain launches, each waited for, untimed: for a checker of memory or races");
  app.add_flag("--no-timing", o.noTiming, "compare only");
  app.add_flag("--json", o.json, "print one JSON array");
  CLI11_PARSE(app, argc, argv);
  return runPackage(o);
}

} // namespace

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "moec-kernel-test: error: %s\n", error.what());
    return 2;
  }
}

// moec-run bench: decode steps or prompts at a batch and a context, and what share of the
// machine's read bandwidth they use. The cache is not computed but taken as it
// is (zeros): that changes no address and no byte count.
#include "runtime/bundle/Error.h"
#include "runtime/core/Session.h"
#include "runtime/tools/moec-run/Commands.h"
#include "runtime/tools/moec-run/TextPrinter.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <map>
#include <nlohmann/json.hpp>

namespace moec::rt {
namespace {

using Json = nlohmann::json;

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::lround(share * double(values.size() - 1))];
}

class Bench {
public:
  Bench(const Model &model, const BenchOptions &options)
      : model(model), options(options), session(model, {.maxSequences = options.batch}), random(1) {
    if (uint64_t(options.context) + options.prompt > model.maxContext())
      fail(ErrorKind::Argument, "--context ", options.context, " leaves no room for a step of ",
           options.prompt, " tokens: the bundle's context is ", model.maxContext());
    for (uint32_t i = 0; i < options.batch; ++i)
      ids.push_back(session.addSequence());
    restart();
  }

  void measure() {
    for (uint32_t i = 0; i < options.warmup; ++i)
      step();
    for (uint32_t i = 0; i < options.steps; ++i)
      seconds.push_back(step());
    if (options.profile)
      profile();
    readBandwidth = model.device().measureReadBandwidth(bandwidthBytes());
  }

  Json report() const;
  std::string table() const;

private:
  void restart() {
    for (SequenceId id : ids) {
      session.truncate(id, 0);
      session.pretendLength(id, options.context);
    }
  }

  double stepTokens() const { return double(options.batch) * options.prompt; }

  double step() {
    // Prompts all have the same context; decode steps go on.
    if (options.prompt > 1 || session.length(ids[0]) == model.maxContext())
      restart();
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < ids.size() * options.prompt; ++i)
      tokens.push_back(int32_t(random.next() % model.vocabSize()));
    std::vector<Feed> feeds;
    for (size_t i = 0; i < ids.size(); ++i)
      feeds.push_back({ids[i], {&tokens[i * options.prompt], options.prompt}});
    std::vector<Sampler *> samplers(ids.size(), &greedy);
    auto start = std::chrono::steady_clock::now();
    if (session.hasSampleEntry()) // as one that generates does
      session.stepTokens(feeds, samplers);
    else
      session.step(feeds);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  /// Fills launchMedians for the last program of a step.
  void profile() {
    session.setProfiling(true);
    std::vector<std::vector<double>> runs;
    for (uint32_t i = 0; i < options.steps; ++i) {
      step();
      runs.push_back(session.launchSeconds());
    }
    session.setProfiling(false);
    for (size_t launch = 0; launch < runs[0].size(); ++launch) {
      std::vector<double> times;
      for (const auto &run : runs)
        times.push_back(run[launch]);
      launchMedians.push_back(percentile(times, 0.5));
    }
  }

  /// Bytes that a launch must move with the benchmark's context, as the compiler counted them.
  uint64_t launchBytes(const fb::Launch &launch) const {
    uint64_t sequences = std::min<uint64_t>(options.batch, session.lastProgram()->max_sequences());
    if (options.prompt > 1) // a chunk of one
      sequences = 1;
    return launch.bytes() + launch.context_bytes() * sequences * options.context;
  }

  /// Programs that one step runs.
  uint64_t runsPerStep() const {
    const fb::Program &p = *session.lastProgram();
    auto parts = [](uint64_t n, uint64_t size) { return (n + size - 1) / size; };
    if (options.prompt > 1)
      return options.batch * parts(options.prompt, p.max_tokens());
    return parts(options.batch, std::min(p.max_sequences(), p.max_output_rows()));
  }

  /// Bytes that one step must move, as the compiler counted them.
  uint64_t stepBytes() const {
    const fb::Program &p = *session.lastProgram();
    uint64_t bytes = 0;
    for (const fb::Launch *launch : *p.launches())
      bytes += launchBytes(*launch);
    return bytes * runsPerStep();
  }

  /// As large as the weights, so that it meets the same memory behind the
  /// caches, but from 1 to 4 GiB and at most half of what is free.
  size_t bandwidthBytes() const {
    if (options.bandwidthMiB)
      return options.bandwidthMiB << 20;
    uint64_t free = model.device().freeMemory();
    uint64_t wanted = std::clamp<uint64_t>(model.weightBytes(), 1ull << 30, 4ull << 30);
    return std::min(wanted, std::max<uint64_t>(free / 2, 64 << 20));
  }

  /// The least seconds that a launch can take: its bytes at the measured
  /// bandwidth, or its arithmetic at the target's peak, where that is known.
  double launchBound(const fb::Launch &launch) const {
    double peak = model.manifest().kernels()->Get(launch.kernel())->peak_flops();
    double seconds = double(launchBytes(launch)) / readBandwidth;
    return peak > 0 ? std::max(seconds, double(launch.flops()) / peak) : seconds;
  }

  Json launchRow(size_t index) const;
  std::string profileTable() const;

  const Model &model;
  const BenchOptions &options;
  Session session;
  Xoshiro256 random;
  Sampler greedy{SamplerOptions{}};
  std::vector<SequenceId> ids;
  std::vector<double> seconds, launchMedians;
  double readBandwidth = 0; // bytes/s
};

std::string optional(const flatbuffers::String *s) { return s ? s->str() : ""; }

Json Bench::launchRow(size_t index) const {
  const fb::Launch &launch = *session.lastProgram()->launches()->Get(index);
  const fb::Kernel &kernel = *model.manifest().kernels()->Get(launch.kernel());
  double rate = double(launchBytes(launch)) / launchMedians[index], bound = launchBound(launch);
  return {{"label", optional(launch.label())}, {"kernel", kernel.symbol()->str()},
          {"hero", optional(kernel.hero())},   {"microseconds", launchMedians[index] * 1e6},
          {"bytes", launchBytes(launch)},      {"bytes_per_second", rate},
          {"fraction", rate / readBandwidth},  {"flops", launch.flops()},
          {"bound_microseconds", bound * 1e6}, {"of_bound", launchMedians[index] / bound}};
}

Json Bench::report() const {
  double median = percentile(seconds, 0.5);
  Json out = {
      {"bundle", model.bundle().path()},
      {"device", model.device().describe()},
      {"batch", options.batch},
      {"context", options.context},
      {"prompt", options.prompt},
      {"steps", options.steps},
      {"step_seconds",
       {{"median", median}, {"p10", percentile(seconds, 0.1)}, {"p90", percentile(seconds, 0.9)}}},
      {"tokens_per_second", stepTokens() / median},
      {"weight_bytes", model.weightBytes()},
      {"step_bytes", stepBytes()},
      {"step_bytes_per_second", double(stepBytes()) / median},
      {"read_bandwidth", readBandwidth},
      {"fraction", double(stepBytes()) / median / readBandwidth}};
  for (size_t i = 0; i < launchMedians.size(); ++i)
    out["launches"].push_back(launchRow(i));
  return out;
}

__attribute__((format(printf, 1, 2))) std::string line(const char *format, ...) {
  char buffer[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  return std::string(buffer) + "\n";
}

std::string Bench::table() const {
  double median = percentile(seconds, 0.5), bytes = double(stepBytes());
  std::string out;
  out += line("device          %s", model.device().describe().c_str());
  if (options.prompt > 1)
    out += line("prompts         batch %u of %u tokens, context %u, %u steps", options.batch,
                options.prompt, options.context, options.steps);
  else
    out += line("decode          batch %u, context %u, %u steps", options.batch, options.context,
                options.steps);
  out += line("step            median %.3f ms, p10 %.3f ms, p90 %.3f ms", median * 1e3,
              percentile(seconds, 0.1) * 1e3, percentile(seconds, 0.9) * 1e3);
  out += line("throughput      %.1f tokens/s", stepTokens() / median);
  out += line("bytes per step  %.3f MB (weights in the bundle: %.3f MB)", bytes / 1e6,
              double(model.weightBytes()) / 1e6);
  out += line("read bandwidth  %.2f GB/s measured", readBandwidth / 1e9);
  out += line("fraction        %.2f GB/s, %.1f %% of the read bandwidth", bytes / median / 1e9,
              100 * bytes / median / readBandwidth);
  return options.profile ? out + "\n" + profileTable() : out;
}

/// Two tables: time by kernel, most first, and every launch in order. "ratio"
/// is the time over the bound.
std::string Bench::profileTable() const {
  struct Sum {
    int count = 0;
    double microseconds = 0, bound = 0, bytes = 0;
  };
  std::map<std::string, Sum> kernels;
  double total = 0;
  const char *columns = "%-40.40s %-44.44s %10.1f %10.1f %7.2f %12.3f %8.2f";
  std::string launches = line("%-40s %-44s %10s %10s %7s %12s %8s", "launch", "kernel", "median us",
                              "bound us", "ratio", "MB", "GB/s");
  for (size_t i = 0; i < launchMedians.size(); ++i) {
    Json row = launchRow(i);
    std::string kernel = row["kernel"], label = row["label"];
    double us = row["microseconds"], bound = row["bound_microseconds"], bytes = row["bytes"];
    Sum &sum = kernels[kernel];
    ++sum.count;
    sum.microseconds += us;
    sum.bound += bound;
    sum.bytes += bytes;
    total += us;
    launches += line(columns, label.c_str(), kernel.c_str(), us, bound, us / bound, bytes / 1e6,
                     bytes / us / 1e3);
  }
  std::vector<std::pair<std::string, Sum>> order(kernels.begin(), kernels.end());
  std::sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
    return a.second.microseconds > b.second.microseconds;
  });
  std::string out = line("%-44s %8s %10s %8s %10s %7s %12s %8s", "kernel", "launches", "total us",
                         "of step", "bound us", "ratio", "MB", "GB/s");
  for (const auto &[name, sum] : order)
    out += line("%-44.44s %8d %10.1f %6.1f %% %10.1f %7.2f %12.3f %8.2f", name.c_str(), sum.count,
                sum.microseconds, 100 * sum.microseconds / total, sum.bound,
                sum.microseconds / sum.bound, sum.bytes / 1e6, sum.bytes / sum.microseconds / 1e3);
  return out + "\n" + launches;
}

} // namespace

int runBench(const BenchOptions &options) {
  Model model(options.bundle, options.model());
  Bench bench(model, options);
  if (options.verbose)
    reportLoad(model);
  bench.measure();
  writeOut(options.json ? bench.report().dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                        : bench.table());
  return 0;
}

} // namespace moec::rt

#include "runtime/tools/moec-kernel-test/CaseRunner.h"

#include "runtime/bundle/Error.h"
#include "runtime/bundle/Format.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>

namespace moec::rt {
namespace {

// More than any cache holds, so that a call finds its weights in memory as a
// model's step does.
constexpr uint64_t kChainBytes = 256 << 20;
constexpr uint64_t kMaxCopies = 64;
constexpr double kMeasureSeconds = 4e-3;
constexpr int kMeasurements = 5;

float fromF8(uint8_t code, int mantissa, int bias, bool finite) {
  int exponent = (code & 0x7F) >> mantissa, fraction = code & ((1 << mantissa) - 1);
  int top = (1 << (7 - mantissa)) - 1;
  if (finite ? (code & 0x7F) == 0x7F : exponent == top)
    return finite || fraction ? NAN : code & 0x80 ? -INFINITY : INFINITY;
  float value = exponent ? std::ldexp(1 + std::ldexp(float(fraction), -mantissa), exponent - bias)
                         : std::ldexp(float(fraction), 1 - bias - mantissa);
  return code & 0x80 ? -value : value;
}

double fromF16(uint16_t code) {
  int exponent = code >> 10 & 31, fraction = code & 1023;
  double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                                : std::ldexp(fraction, -24);
  return code & 0x8000 ? -value : value;
}

template <typename T> T load(const uint8_t *bytes, uint64_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

double element(fb::DType type, const uint8_t *bytes, uint64_t i) {
  switch (type) {
  case fb::DType::F32:
    return load<float>(bytes, i);
  case fb::DType::F16:
    return fromF16(load<uint16_t>(bytes, i));
  case fb::DType::BF16:
    return std::bit_cast<float>(uint32_t(load<uint16_t>(bytes, i)) << 16);
  case fb::DType::F8E4M3FN:
    return fromF8(bytes[i], 3, 7, true);
  case fb::DType::F8E5M2:
    return fromF8(bytes[i], 2, 15, false);
  case fb::DType::I8:
    return load<int8_t>(bytes, i);
  case fb::DType::I32:
    return load<int32_t>(bytes, i);
  case fb::DType::U8:
    return bytes[i];
  }
  return 0;
}

} // namespace

std::vector<double> decode(fb::DType type, const uint8_t *bytes, uint64_t count) {
  std::vector<double> values(count);
  for (uint64_t i = 0; i < count; ++i)
    values[i] = element(type, bytes, i);
  return values;
}

/// The buffers of one case, but for its weights.
struct CaseRunner::Buffers {
  Buffers(Device &device, const BundleFile &bundle, const Case &c)
      : inputs(device, 4096, "the dims"),
        arena(device, std::max<uint64_t>(roomFor(bundle, c, {fb::ArgKind::Arena, 0, 0}), 1),
              "the arena"),
        logits(device, roomFor(bundle, c, {fb::ArgKind::Output, 0, 0}), "the logits"),
        counters(device, kCounterBytes, "the counters") {
    for (uint32_t layer = 0; layer < bundle.manifest().cache()->layers(); ++layer)
      if (uint64_t bytes = roomFor(bundle, c, {fb::ArgKind::Cache, layer, 0}))
        caches[layer] = DeviceBuffer(device, bytes, "a cache");
  }
  BufferView view(const Place &place) const {
    BufferView base = place.kind == fb::ArgKind::Arena    ? arena.view()
                      : place.kind == fb::ArgKind::Output ? logits.view()
                                                          : caches.at(place.layer).view();
    return {static_cast<uint8_t *>(base.data) + place.offset, base.bytes - place.offset};
  }
  /// Of an argument that is no weight.
  BufferView view(const fb::Arg &arg) const {
    if (arg.kind() == fb::ArgKind::Counters)
      return counters.view();
    if (arg.kind() == fb::ArgKind::Input)
      fail(ErrorKind::Bundle, "a kernel test passes its inputs as weights or in the arena");
    if (arg.kind() == fb::ArgKind::Cache && !caches.count(arg.index()))
      fail(ErrorKind::Bundle, "no input of the case fills cache ", arg.index());
    return view(Place{arg.kind(), arg.index(), arg.offset()});
  }

  DeviceBuffer inputs, arena, logits, counters;
  std::map<uint32_t, DeviceBuffer> caches;
};

namespace {

std::span<const uint8_t> blockOf(const Dims &dims) {
  return {reinterpret_cast<const uint8_t *>(dims.data()), sizeof dims};
}

BufferView weightView(const BundleFile &bundle, void *base, uint32_t index, uint64_t offset) {
  return {static_cast<uint8_t *>(base) + offset,
          bundle.manifest().weights()->Get(index)->bytes() - offset};
}

} // namespace

/// Poison everywhere, then the inputs.
void CaseRunner::fill(const Case &c, Buffers &buffers) {
  for (const DeviceBuffer *buffer : {&buffers.arena, &buffers.logits})
    device.fillBytes(buffer->data(), 0xFF, buffer->bytes());
  for (const auto &[layer, cache] : buffers.caches)
    device.fillBytes(cache.data(), 0xFF, cache.bytes());
  for (const CaseInput &input : c.inputs) {
    std::vector<uint8_t> bytes(bundle.manifest().weights()->Get(input.weight)->bytes());
    device.copyOut(bytes.data(), weights[input.weight], bytes.size());
    device.copyIn(buffers.view(input.to).data, bytes.data(), bytes.size());
  }
}

std::vector<double> CaseRunner::values(fb::DType type, const void *memory, uint64_t count) {
  std::vector<uint8_t> bytes(count * elementSize(type));
  device.copyOut(bytes.data(), memory, bytes.size());
  return decode(type, bytes.data(), count);
}

std::vector<double> CaseRunner::expectedOf(const CaseOutput &o) {
  const fb::Weight &w = *bundle.manifest().weights()->Get(*o.expected);
  return values(w.dtype(), weights[*o.expected], w.bytes() / elementSize(w.dtype()));
}

void CaseRunner::compare(const CaseOutput &o, const std::vector<double> &expected, Buffers &buffers,
                         CaseResult &result) {
  std::vector<double> got = values(o.dtype, buffers.view(o.from).data, o.count);
  std::vector<double> indices;
  if (o.indices)
    indices = values(fb::DType::I32, weights[*o.indices], expected.size());
  double error = 0, norm = 0, largest = 0;
  uint64_t wrong = 0, first = 0; // elements that are no number, or differ where they must not
  double wanted = 0;             // in place of the first
  for (size_t i = 0; i < expected.size(); ++i) {
    double index = o.indices ? indices[i] : double(i);
    if (index < 0 || index >= double(o.count))
      fail(ErrorKind::Bundle, "an index is ", int64_t(index), ", the output has ", o.count,
           " elements");
    double difference = std::fabs(got[size_t(index)] - expected[i]);
    if (o.exact ? difference != 0 : !std::isfinite(difference)) {
      if (!wrong++) {
        first = uint64_t(index);
        wanted = expected[i];
      }
      continue;
    }
    error += difference * difference;
    norm += expected[i] * expected[i];
    largest = std::max(largest, difference);
  }
  double rms = std::sqrt(norm / double(expected.size()));
  double l2 = norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
  double maxAbs = rms > 0 ? largest / rms : largest;
  result.l2 = std::max(result.l2, l2);
  result.maxAbs = std::max(result.maxAbs, maxAbs);
  std::string what =
      o.expected ? joined("'", bundle.manifest().weights()->Get(*o.expected)->name()->str(), "'")
                 : "the reference's";
  if (!result.complaint.empty())
    return; // the first one stays
  if (wrong)
    result.complaint =
        joined(wrong, o.exact ? " elements differ from " : " elements are NaN or infinite against ",
               what, ", the first is ", first, " (", got[first], ", expected ", wanted, ")");
  else if (!o.exact && (l2 > o.maxL2 || maxAbs > o.maxAbs))
    result.complaint =
        joined("too far from ", what, ": allowed are max ", o.maxAbs, ", L2 ", o.maxL2);
}

void CaseRunner::run(const fb::Program &program, const Case &c, Buffers &buffers) {
  auto bound = device.bind(program, {buffers.inputs.view(), [&](const fb::Arg &arg) {
                                       return arg.kind() == fb::ArgKind::Weight
                                                  ? weightView(bundle, weights[arg.index()],
                                                               arg.index(), arg.offset())
                                                  : buffers.view(arg);
                                     }});
  fill(c, buffers);
  bound->run(blockOf(c.dims));
}

CaseResult CaseRunner::check(const Case &c) {
  CaseResult result;
  for (const fb::Launch *launch : *c.program->launches()) {
    result.bytes += double(launch->bytes());
    result.flops += double(launch->flops());
    result.peakFlops = std::max(result.peakFlops,
                                bundle.manifest().kernels()->Get(launch->kernel())->peak_flops());
  }
  Buffers buffers(device, bundle, c);
  std::vector<std::vector<double>> expected;
  if (c.reference)
    run(*c.reference, c, buffers);
  for (const CaseOutput &o : c.outputs)
    expected.push_back(o.expected ? expectedOf(o)
                                  : values(o.dtype, buffers.view(o.from).data, o.count));
  run(*c.program, c, buffers);
  for (size_t i = 0; i < c.outputs.size(); ++i)
    compare(c.outputs[i], expected[i], buffers, result);
  for (double counter : values(fb::DType::I32, buffers.counters.data(), kCounterBytes / 4))
    if (counter != 0)
      result.complaint = joined("a counter is left at ", counter);
  return result;
}

namespace {

/// How often a case's buffers lie in memory.
struct Copies {
  uint64_t weights = 1;
  uint64_t caches = 1; // used by turns
};

/// A case's launches many times over. Copy k of weight i has index
/// i + k * weights in the arguments, copy k of a cache index layer + k * layers.
class Chain {
public:
  Chain(const Case &c, uint32_t weightCount, uint32_t layers, const Copies &copies) {
    fb::ProgramT chain, once;
    c.program->UnPackTo(&once);
    c.program->UnPackTo(&chain);
    chain.launches.clear();
    for (uint64_t copy = 0; copy < copies.weights; ++copy)
      for (const auto &launch : once.launches) {
        chain.launches.push_back(std::make_unique<fb::LaunchT>(*launch));
        for (fb::Arg &arg : chain.launches.back()->args)
          if (arg.kind() == fb::ArgKind::Weight)
            arg = fb::Arg(arg.kind(), uint32_t(arg.index() + copy * weightCount), arg.offset(),
                          arg.bytes());
          else if (arg.kind() == fb::ArgKind::Cache)
            arg = fb::Arg(arg.kind(), uint32_t(arg.index() + copy % copies.caches * layers),
                          arg.offset(), arg.bytes());
      }
    builder.Finish(fb::Program::Pack(builder, &chain));
  }
  const fb::Program &program() const {
    return *flatbuffers::GetRoot<fb::Program>(builder.GetBufferPointer());
  }

private:
  flatbuffers::FlatBufferBuilder builder;
};

/// Runs without waiting between them.
double secondsOf(Device &device, BoundProgram &program, const Dims &dims, const void *memory,
                 int runs) {
  uint32_t word;
  device.copyOut(&word, memory, sizeof word); // whatever came before is done
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i)
    program.run(blockOf(dims));
  device.copyOut(&word, memory, sizeof word);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

/// Copy k of a cache is that of layer + k * layers.
void CaseRunner::copyCaches(Buffers &buffers, uint32_t layers, uint64_t copies) {
  if (copies < 2)
    return;
  std::map<uint32_t, DeviceBuffer> more;
  for (const auto &[layer, cache] : buffers.caches) {
    std::vector<uint8_t> content(cache.bytes());
    device.copyOut(content.data(), cache.data(), content.size());
    for (uint64_t copy = 1; copy < copies; ++copy) {
      DeviceBuffer &buffer = more[uint32_t(layer + copy * layers)];
      buffer = DeviceBuffer(device, content.size(), "copies of a case's cache");
      device.copyIn(buffer.data(), content.data(), content.size());
    }
  }
  buffers.caches.merge(more);
}

double CaseRunner::time(const Case &c) {
  uint32_t weightCount = bundle.manifest().weights()->size();
  std::map<uint32_t, uint64_t> used; // weights that the launches read, and their bytes
  uint64_t bytes = 1;
  for (const fb::Launch *launch : *c.program->launches())
    for (const fb::Arg *arg : *launch->args())
      if (arg->kind() == fb::ArgKind::Weight && !used.count(arg->index()))
        bytes += used[arg->index()] = bundle.manifest().weights()->Get(arg->index())->bytes();
  Buffers buffers(device, bundle, c);
  uint64_t cached = 0; // bytes of caches
  for (const auto &[layer, cache] : buffers.caches)
    cached += cache.bytes();
  bytes += cached;
  Copies copies;
  copies.weights = std::clamp<uint64_t>((kChainBytes + bytes - 1) / bytes, 2, kMaxCopies);
  if (cached < kChainBytes) // else one cache is more than what is kept of it
    copies.caches = copies.weights;
  std::map<uint32_t, DeviceBuffer> more;
  for (auto [index, size] : used) {
    std::vector<uint8_t> content(size);
    device.copyOut(content.data(), weights[index], size);
    for (uint64_t copy = 1; copy < copies.weights; ++copy) {
      DeviceBuffer &buffer = more[uint32_t(index + copy * weightCount)];
      buffer = DeviceBuffer(device, size, "copies of a case's weights");
      device.copyIn(buffer.data(), content.data(), size);
    }
  }
  fill(c, buffers);
  uint32_t layers = bundle.manifest().cache()->layers();
  copyCaches(buffers, layers, copies.caches);
  Chain chain(c, weightCount, layers, copies);
  auto view = [&](const fb::Arg &arg) {
    if (arg.kind() != fb::ArgKind::Weight)
      return buffers.view(arg);
    uint32_t index = arg.index() % weightCount;
    void *base = arg.index() < weightCount ? weights[index] : more.at(arg.index()).data();
    return weightView(bundle, base, index, arg.offset());
  };
  auto bound = device.bind(chain.program(), {buffers.inputs.view(), view});
  double once = secondsOf(device, *bound, c.dims, buffers.arena.data(), 1);
  int runs = int(std::clamp(kMeasureSeconds / once, 1.0, 1000.0));
  std::vector<double> seconds;
  for (int i = 0; i < kMeasurements; ++i)
    seconds.push_back(secondsOf(device, *bound, c.dims, buffers.arena.data(), runs));
  std::sort(seconds.begin(), seconds.end());
  return seconds[kMeasurements / 2] / (double(runs) * double(copies.weights));
}

} // namespace moec::rt

#include "runtime/tools/moec-kernel-test/CaseRunner.h"

#include "runtime/bundle/Error.h"
#include "runtime/bundle/Format.h"

#include <algorithm>
#include <array>
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
constexpr uint64_t kPieceBytes = 16 << 20;

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

/// All codes of an 8-bit float.
std::array<float, 256> decodeF8(int mantissa, int bias, bool finite) {
  std::array<float, 256> values;
  for (int code = 0; code < 256; ++code)
    values[code] = fromF8(uint8_t(code), mantissa, bias, finite);
  return values;
}

/// Calls `use(element)`, where element(bytes, i) is the i-th element as a number: a loop in `use`
/// knows the type.
template <typename Use> void withElements(fb::DType type, Use use) {
  static const std::array<float, 256> e4m3 = decodeF8(3, 7, true), e5m2 = decodeF8(2, 15, false);
  using Bytes = const uint8_t *;
  switch (type) {
  case fb::DType::F32:
    return use([](Bytes bytes, uint64_t i) -> double { return load<float>(bytes, i); });
  case fb::DType::F16:
    return use([](Bytes bytes, uint64_t i) { return fromF16(load<uint16_t>(bytes, i)); });
  case fb::DType::BF16:
    return use([](Bytes bytes, uint64_t i) -> double {
      return std::bit_cast<float>(uint32_t(load<uint16_t>(bytes, i)) << 16);
    });
  case fb::DType::F8E4M3FN:
    return use([](Bytes bytes, uint64_t i) -> double { return e4m3[bytes[i]]; });
  case fb::DType::F8E5M2:
    return use([](Bytes bytes, uint64_t i) -> double { return e5m2[bytes[i]]; });
  case fb::DType::I8:
    return use([](Bytes bytes, uint64_t i) -> double { return load<int8_t>(bytes, i); });
  case fb::DType::I32:
    return use([](Bytes bytes, uint64_t i) -> double { return load<int32_t>(bytes, i); });
  case fb::DType::U8:
    return use([](Bytes bytes, uint64_t i) -> double { return bytes[i]; });
  }
}

} // namespace

std::vector<double> decode(fb::DType type, const uint8_t *bytes, uint64_t count) {
  std::vector<double> values(count);
  withElements(type, [&](auto element) {
    for (uint64_t i = 0; i < count; ++i)
      values[i] = element(bytes, i);
  });
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
  for (const CaseInput &input : c.inputs)
    copy(buffers.view(input.to).data, weights[input.weight],
         bundle.manifest().weights()->Get(input.weight)->bytes());
}

/// Through a piece of host memory that is there already: a cache can have gigabytes.
void CaseRunner::copy(void *to, const void *from, uint64_t bytes) {
  piece.resize(kPieceBytes);
  for (uint64_t begin = 0; begin < bytes; begin += kPieceBytes) {
    uint64_t size = std::min(bytes - begin, kPieceBytes);
    device.copyOut(piece.data(), static_cast<const uint8_t *>(from) + begin, size);
    device.copyIn(static_cast<uint8_t *>(to) + begin, piece.data(), size);
  }
}

CaseRunner::Elements CaseRunner::read(fb::DType type, const void *memory, uint64_t count) {
  Elements elements{type, std::vector<uint8_t>(count * elementSize(type))};
  device.copyOut(elements.bytes.data(), memory, elements.bytes.size());
  return elements;
}

CaseRunner::Elements CaseRunner::readWeight(uint32_t index) {
  const fb::Weight &w = *bundle.manifest().weights()->Get(index);
  return read(w.dtype(), weights[index], w.bytes() / elementSize(w.dtype()));
}

namespace {

/// What is wrong about an output.
struct Difference {
  double error = 0, norm = 0, largest = 0;
  uint64_t wrong = 0, first = 0; // elements that are no number, or differ where they must not
  double got = 0, wanted = 0;    // of the first

  void add(double value, double expected, uint64_t index, bool exact) {
    double difference = std::fabs(value - expected);
    if (exact ? difference != 0 : !std::isfinite(difference)) {
      if (!wrong++)
        first = index, got = value, wanted = expected;
      return;
    }
    error += difference * difference;
    norm += expected * expected;
    largest = std::max(largest, difference);
  }
};

} // namespace

void CaseRunner::compare(const CaseOutput &o, const Elements &expected, Buffers &buffers,
                         CaseResult &result) {
  Elements got = read(o.dtype, buffers.view(o.from).data, o.count);
  uint64_t count = expected.bytes.size() / elementSize(expected.type);
  Elements indices;
  if (o.indices)
    indices = readWeight(*o.indices);
  auto indexOf = [&](uint64_t i) {
    if (!o.indices)
      return i;
    int32_t index = load<int32_t>(indices.bytes.data(), i);
    if (index < 0 || uint64_t(index) >= o.count)
      fail(ErrorKind::Bundle, "an index is ", index, ", the output has ", o.count, " elements");
    return uint64_t(index);
  };
  Difference found;
  withElements(got.type, [&](auto gotElement) {
    withElements(expected.type, [&](auto expectedElement) {
      for (uint64_t i = 0; i < count; ++i) {
        uint64_t index = indexOf(i);
        found.add(gotElement(got.bytes.data(), index), expectedElement(expected.bytes.data(), i),
                  index, o.exact);
      }
    });
  });
  double rms = std::sqrt(found.norm / double(count));
  double l2 = found.norm > 0 ? std::sqrt(found.error / found.norm) : std::sqrt(found.error);
  double maxAbs = rms > 0 ? found.largest / rms : found.largest;
  result.l2 = std::max(result.l2, l2);
  result.maxAbs = std::max(result.maxAbs, maxAbs);
  std::string what =
      o.expected ? joined("'", bundle.manifest().weights()->Get(*o.expected)->name()->str(), "'")
                 : "the reference's";
  if (!result.complaint.empty())
    return; // the first one stays
  if (found.wrong)
    result.complaint = joined(
        found.wrong, o.exact ? " elements differ from " : " elements are NaN or infinite against ",
        what, ", the first is ", found.first, " (", found.got, ", expected ", found.wanted, ")");
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
  std::vector<Elements> expected;
  if (c.reference)
    run(*c.reference, c, buffers);
  for (const CaseOutput &o : c.outputs)
    expected.push_back(o.expected ? readWeight(*o.expected)
                                  : read(o.dtype, buffers.view(o.from).data, o.count));
  run(*c.program, c, buffers);
  for (size_t i = 0; i < c.outputs.size(); ++i)
    compare(c.outputs[i], expected[i], buffers, result);
  Elements counters = read(fb::DType::I32, buffers.counters.data(), kCounterBytes / 4);
  for (double counter : decode(counters.type, counters.bytes.data(), kCounterBytes / 4))
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
  for (const auto &[layer, cache] : buffers.caches)
    for (uint64_t i = 1; i < copies; ++i) {
      DeviceBuffer &buffer = more[uint32_t(layer + i * layers)];
      buffer = DeviceBuffer(device, cache.bytes(), "copies of a case's cache");
      copy(buffer.data(), cache.data(), cache.bytes());
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
  for (auto [index, size] : used)
    for (uint64_t i = 1; i < copies.weights; ++i) {
      DeviceBuffer &buffer = more[uint32_t(index + i * weightCount)];
      buffer = DeviceBuffer(device, size, "copies of a case's weights");
      copy(buffer.data(), weights[index], size);
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

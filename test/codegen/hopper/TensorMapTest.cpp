// What the copy engine refuses is refused by name before a bundle is written.
#include "codegen/target/nvidia/hopper/TensorMap.h"

#include <gtest/gtest.h>

using namespace moec::hopper;

static std::string getRefusal(const TensorMap &map) { return llvm::toString(map.verify()); }

TEST(TensorMap, OfAnOperand) {
  TensorMap map = TensorMap::ofOperand(2, 7168, Extent::of(2112), 192);
  EXPECT_EQ(getRefusal(map), "");
  EXPECT_EQ(map.getBoxBytes(), 192u * 128);
}

TEST(TensorMap, Refusals) {
  TensorMap good = TensorMap::ofOperand(0, 7168, Extent::of(1, 8), 64);
  TensorMap map = good;
  map.strides = {7176};
  EXPECT_EQ(getRefusal(map),
            "tensor map: stride of 7176 bytes, expected a multiple of 16 below 2^40");
  map = good;
  map.box[1] = 257;
  EXPECT_EQ(getRefusal(map), "tensor map: box size 257, expected 1 to 256");
  map = good;
  map.box[0] = 256;
  EXPECT_EQ(getRefusal(map), "tensor map: the box's rows of 256 bytes exceed the swizzle of 128");
  map.box[0] = 24;
  EXPECT_EQ(getRefusal(map), "tensor map: the box's rows of 24 bytes are no multiple of 16");
  map = good;
  map.offset = 8;
  EXPECT_EQ(getRefusal(map), "tensor map: offset of 8 bytes, expected a multiple of 16");
  map = good;
  map.box.pop_back();
  EXPECT_EQ(getRefusal(map), "tensor map: 2 sizes need 1 strides and 2 box sizes, found 1 and 1");
  EXPECT_EQ(getRefusal(TensorMap()), "tensor map: 0 sizes, expected 1 to 5");
}

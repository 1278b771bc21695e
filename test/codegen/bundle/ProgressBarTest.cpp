#include "codegen/bundle/ProgressBar.h"

#include "gtest/gtest.h"

using namespace moec::bundle;

TEST(ProgressBar, SaysHowFarAndHowLong) {
  EXPECT_EQ(ProgressBar::render("packing", 1ull << 30, 4ull << 30, 2.0),
            "packing [######..................]  25%  1.00 GiB of 4.00 GiB  512.00 MiB/s  "
            "0:00:06 left");
  EXPECT_EQ(ProgressBar::render("packing", 0, 100, 0.0),
            "packing [........................]   0%  0 bytes of 100 bytes  0 bytes/s  "
            "-:--:-- left");
}

TEST(ProgressBar, BytesAreReadable) {
  EXPECT_EQ(bytesText(12), "12 bytes");
  EXPECT_EQ(bytesText(1536), "1.50 KiB");
  EXPECT_EQ(bytesText(3ull << 40), "3.00 TiB");
}

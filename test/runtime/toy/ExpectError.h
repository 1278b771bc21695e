// Runs something that must throw Error and hands back its text.
#pragma once

#include "runtime/bundle/Error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moec::rt::test {

template <typename F> std::string errorOf(F &&f, ErrorKind kind) {
  try {
    f();
  } catch (const Error &error) {
    EXPECT_EQ(int(error.kind), int(kind)) << error.what();
    return error.what();
  }
  return "no error";
}

} // namespace moec::rt::test

#define EXPECT_RT_ERROR(expression, kind, part)                                                    \
  EXPECT_THAT(::moec::rt::test::errorOf([&] { (void)(expression); }, ::moec::rt::ErrorKind::kind), \
              ::testing::HasSubstr(part))

# Small helpers that every folder's CMakeLists.txt uses.

# moec_library(<name> SOURCES ... [LINK ...] [DEPENDS ...])
# A static library of the compiler's side: links libMLIR and libLLVM.
function(moec_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# moec_unit_test(<name> SOURCES ... LINK ...)
# A GoogleTest program in build/.../unit, where lit finds it by its name
# (which must end in "Tests").
add_custom_target(moec-unit-tests)
function(moec_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  add_dependencies(moec-unit-tests ${name})
endfunction()

# moec_fuzzer(<name> SOURCES ... LINK ...)
# A libFuzzer program in build/.../fuzz; only with -DMOEC_FUZZ=ON.
function(moec_fuzzer name)
  if(NOT MOEC_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()

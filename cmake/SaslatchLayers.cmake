# One folder is one target. saslatch_layer() declares it with the layers it may use; a layer that
# is not named here cannot be linked, and tests/check_arrows.py holds the #includes to the same.

add_library(saslatch_options INTERFACE)
target_include_directories(saslatch_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(saslatch_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wcast-qual -Wformat=2 -Wimplicit-fallthrough -fstack-protector-strong)
target_compile_definitions(saslatch_options INTERFACE SASLATCH_VERSION="${PROJECT_VERSION}")
if(SASLATCH_WERROR)
  target_compile_options(saslatch_options INTERFACE -Werror)
endif()
if(SASLATCH_SANITIZE STREQUAL "address")
  target_compile_options(saslatch_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(saslatch_options INTERFACE -fsanitize=address,undefined)
elseif(SASLATCH_SANITIZE STREQUAL "thread")
  target_compile_options(saslatch_options INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(saslatch_options INTERFACE -fsanitize=thread)
elseif(NOT SASLATCH_SANITIZE STREQUAL "")
  message(FATAL_ERROR "SASLATCH_SANITIZE is '${SASLATCH_SANITIZE}'; accepted: address, thread")
endif()
if(SASLATCH_FUZZ)
  target_compile_options(saslatch_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# saslatch_layer(NAME SOURCES file... USES target...)
function(saslatch_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  if(ARG_SOURCES)
    add_library(saslatch_${name} STATIC ${ARG_SOURCES})
    set_target_properties(saslatch_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(saslatch_${name} PUBLIC saslatch_options ${ARG_USES})
  else()
    add_library(saslatch_${name} INTERFACE)
    target_link_libraries(saslatch_${name} INTERFACE saslatch_options ${ARG_USES})
  endif()
endfunction()

# Headers that most tests read, compiled once for all of them: nearly half of a test's compile time.
# Not in the preset that developers build with, so that each file still includes what it uses.
if(SASLATCH_PCH AND SASLATCH_TESTS)
  find_package(GTest REQUIRED)
  file(WRITE ${CMAKE_BINARY_DIR}/test_pch.cc "")
  add_library(saslatch_test_pch OBJECT ${CMAKE_BINARY_DIR}/test_pch.cc)
  target_link_libraries(saslatch_test_pch PRIVATE saslatch_options GTest::gmock)
  target_precompile_headers(saslatch_test_pch PRIVATE
    <gmock/gmock.h> <gtest/gtest.h> <chrono> <functional> <map> <memory> <optional> <string>
    <string_view> <variant> <vector>)
endif()

# saslatch_test(NAME SOURCES file... USES target... [LABELS label...]): a GoogleTest program, one ctest
# entry a case.
function(saslatch_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_USES} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    SASLATCH_TESTS_DIR="${PROJECT_SOURCE_DIR}/tests")
  if(SASLATCH_PCH)
    target_precompile_headers(${name} REUSE_FROM saslatch_test_pch)
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT 300 LABELS "${ARG_LABELS}")
endfunction()

# saslatch_fuzz(NAME USES target...): tests/fuzz/NAME_fuzz.cc with its corpus tests/fuzz/corpus/NAME.
# Ordinary builds run the corpus as a test; with SASLATCH_FUZZ the same source is a libFuzzer program.
function(saslatch_fuzz name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  set(source ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}_fuzz.cc)
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_USES})
  if(SASLATCH_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/run_corpus.cc)
    add_test(NAME fuzz.${name}.corpus COMMAND fuzz_${name} ${corpus})
  endif()
endfunction()

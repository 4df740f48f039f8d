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
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    # A fifth of the compile time: a null pointer stops the program anyway. The fuzz targets, which
    # clang builds, look for these too.
    $<$<CXX_COMPILER_ID:GNU>:-fno-sanitize=null,alignment>)
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

# Headers that most files read, compiled once for all of them: a quarter of a layer's compile time, and
# nearly half of a test's. Not in the preset that developers build with, so that each file still
# includes what it uses.
if(SASLATCH_PCH)
  file(WRITE ${CMAKE_BINARY_DIR}/layer_pch.cc "")
  add_library(saslatch_layer_pch OBJECT ${CMAKE_BINARY_DIR}/layer_pch.cc)
  set_target_properties(saslatch_layer_pch PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(saslatch_layer_pch PRIVATE saslatch_options)
  target_precompile_headers(saslatch_layer_pch PRIVATE
    <algorithm> <array> <atomic> <chrono> <functional> <map> <memory> <mutex> <optional> <string>
    <string_view> <thread> <unordered_map> <utility> <variant> <vector>
    <tl/expected.hpp>)
endif()

# saslatch_layer(NAME SOURCES file... USES target...)
function(saslatch_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  if(ARG_SOURCES)
    add_library(saslatch_${name} STATIC ${ARG_SOURCES})
    set_target_properties(saslatch_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_libraries(saslatch_${name} PUBLIC saslatch_options ${ARG_USES})
    if(SASLATCH_PCH)
      target_precompile_headers(saslatch_${name} REUSE_FROM saslatch_layer_pch)
    endif()
  else()
    add_library(saslatch_${name} INTERFACE)
    target_link_libraries(saslatch_${name} INTERFACE saslatch_options ${ARG_USES})
  endif()
endfunction()

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
# Ordinary builds run the corpus as a test, and inputs derived from it for a second of CPU time; with
# SASLATCH_FUZZ the same source is a libFuzzer program.
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
    add_test(NAME fuzz.${name}.corpus COMMAND fuzz_${name} ${corpus} 1)
  endif()
endfunction()

# Where loadable passdb modules are installed, and looked for.
set(SASLATCH_PASSDB_MODULE_DIR "${CMAKE_INSTALL_FULL_LIBDIR}/saslatch/passdb")

# What a module and a daemon must agree on to the letter (daemon/passdb/module.h): the version, the
# headers whose types cross between them, and what else changes their layout.
set(module_headers daemon/passdb/module.h daemon/passdb/passdb.h daemon/passdb/authenticator.h
  daemon/passdb/settings/settings.h daemon/audit/log.h protocol/base/ip_address.h
  protocol/base/random.h protocol/base/result.h protocol/base/secret.h)
list(TRANSFORM module_headers PREPEND ${PROJECT_SOURCE_DIR}/)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${module_headers})
set(module_text "${CMAKE_CXX_COMPILER_ID} ${SASLATCH_SANITIZE}")
foreach(header ${module_headers})
  file(READ ${header} text)
  string(APPEND module_text "${text}")
endforeach()
string(SHA256 module_digest "${module_text}")
string(SUBSTRING ${module_digest} 0 12 module_digest)
set(SASLATCH_PASSDB_MODULE_INTERFACE "${PROJECT_VERSION}/${module_digest}")

# saslatch_passdb_module(NAME SOURCES file... USES target...): a driver as PREFIX/LIB/saslatch/passdb/
# NAME.so. It has within it all of ours that it uses, and exports its one entry.
function(saslatch_passdb_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  set(exports ${PROJECT_SOURCE_DIR}/daemon/passdb/module.map)
  add_library(saslatch_passdb_${name}_module MODULE ${ARG_SOURCES})
  target_link_libraries(saslatch_passdb_${name}_module PRIVATE saslatch_options saslatch_base ${ARG_USES})
  target_compile_definitions(saslatch_passdb_${name}_module PRIVATE
    SASLATCH_PASSDB_MODULE_INTERFACE="${SASLATCH_PASSDB_MODULE_INTERFACE}")
  set_target_properties(saslatch_passdb_${name}_module PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LINK_DEPENDS ${exports}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/passdb)
  target_link_options(saslatch_passdb_${name}_module PRIVATE -Wl,--version-script=${exports}
    -Wl,-Bsymbolic -Wl,--as-needed -Wl,-z,defs -Wl,-z,now)
  set_property(GLOBAL APPEND PROPERTY SASLATCH_PASSDB_MODULES saslatch_passdb_${name}_module)
endfunction()

#include "daemon/environment.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <thread>
#include <utility>

#include "daemon/audit/no_log.h"
#include "daemon/config/secret_files.h"
#include "daemon/passdb/drivers/make_passdb.h"
#include "daemon/password/stored_password.h"
#include "protocol/base/crypto/system_random.h"

namespace saslatch {
RealEnvironment::RealEnvironment(std::vector<config::PassdbConfig> running)
    : running_(std::move(running)) {}

config::Environment::Trouble RealEnvironment::scheme(const std::string& name) {
  // No password at all, in that scheme: only the scheme can be wrong with it.
  const auto parsed = password::parse("", name);
  if (!parsed) return parsed.error().message;
  return std::nullopt;
}

config::Environment::Trouble RealEnvironment::passdb(const config::PassdbConfig& passdb,
                                                     const config::Config& config) {
  if (std::find(running_.begin(), running_.end(), passdb) != running_.end()) return std::nullopt;
  if (passdb.driver == config::PassdbDriver::kEmbedded) {
    // What is not there yet the daemon makes, as its own user.
    std::error_code ignored;
    if (!std::filesystem::exists(config.daemon.state_dir + "/users.db", ignored)) {
      return std::nullopt;
    }
  }
  SystemRandom random;
  NoLog log;
  const auto made =
      passdb::make_passdb(passdb, {config.daemon.state_dir, config.daemon.module_dir},
                          {log, random, std::chrono::steady_clock::now, config.policy.max_hold,
                           config.usernames.lowercase, config::read_password_file});
  if (!made) return made.error().message;
  const auto usable = (*made)->check_usable();
  (*made)->stop();
  if (!usable) return usable.error().message;
  return std::nullopt;
}

namespace {

// Where operator new finds it: its handler is a function without an object.
std::atomic<void*> memory_put_by{nullptr};

void give_out_or_throw() {
  void* const memory = memory_put_by.exchange(nullptr);
  if (memory == nullptr) throw std::bad_alloc();
  std::free(memory);
}

}  // namespace

MemoryReserve::MemoryReserve(size_t bytes) : bytes_(bytes) {
  (void)refill();
  std::set_new_handler(give_out_or_throw);
}

MemoryReserve::~MemoryReserve() {
  std::set_new_handler(nullptr);
  std::free(memory_put_by.exchange(nullptr));
}

bool MemoryReserve::refill() {
  if (memory_put_by.load() != nullptr) return true;
  void* const memory = std::malloc(bytes_);
  if (memory == nullptr) return false;
  void* none = nullptr;
  if (!memory_put_by.compare_exchange_strong(none, memory)) std::free(memory);
  return true;
}

unsigned usable_cores() {
  cpu_set_t mine;
  // It fails where the kernel knows more cores than the set has room for.
  if (sched_getaffinity(0, sizeof mine, &mine) == 0) {
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&mine)));
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

uint64_t resident_memory_bytes() {
  std::ifstream statm("/proc/self/statm");  // in pages: size, resident, ...
  uint64_t size = 0;
  uint64_t resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace saslatch

// passdb_scale: what a million accounts cost in either passdb. Prints one figure a line.
//
//   passdb_scale passwd-file [ACCOUNTS]   load time, memory, lookups, a reload
//   passdb_scale embedded [ACCOUNTS]      import time, file size, lookups of one and of four
//   threads
//
// Each mode in a process of its own, since it reports the process's peak memory. Data go to a
// folder under TMPDIR that is removed.

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/audit/log.h"
#include "daemon/passdb/embedded.h"
#include "daemon/passdb/passwd_file.h"
#include "daemon/passdb/user_store.h"
#include "protocol/base/crypto/system_random.h"

namespace {

using namespace saslatch;
using namespace saslatch::passdb;
using Clock = std::chrono::steady_clock;

class PrintingLog final : public Log {
 public:
  void write(LogLevel, std::string_view name, std::string_view,
             std::initializer_list<LogField> fields) override {
    std::printf("log: %s", std::string(name).c_str());
    for (const LogField& f : fields) {
      std::printf(" %s=%s", std::string(f.key).c_str(), f.value.c_str());
    }
    std::printf("\n");
  }
};

double seconds_of(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The same on the clock of this thread's own work, for a machine that is busy otherwise.
double cpu_seconds_of(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  work();
  return now() - begin;
}

long peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

std::string name_of(uint64_t i) { return "user" + std::to_string(i) + "@example.com"; }

// Lines as `doveadm pw` makes them; the salt is the number, so that no two are alike.
void write_passwd_file(const std::string& path, uint64_t accounts) {
  std::ofstream out(path, std::ios::binary);
  for (uint64_t i = 0; i < accounts; ++i) {
    std::string salt = std::to_string(i);
    salt.insert(0, 16 - salt.size(), '.');
    out << name_of(i) << ":{SHA512-CRYPT}$6$" << salt << "$" << std::string(86, 'h') << "\n";
  }
}

// Asks for every 7th account and as many names that nobody has; the mean work of one lookup.
double lookup_microseconds(Passdb& passdb, uint64_t accounts, uint64_t lookups) {
  uint64_t known = 0;
  const double time = cpu_seconds_of([&] {
    for (uint64_t i = 0; i < lookups; ++i) {
      const uint64_t number = i * 7919 % accounts;
      const std::string name = i % 2 == 0 ? name_of(number) : "nobody" + std::to_string(number);
      passdb.find(name, [&known](const Lookup& found) {
        known += std::holds_alternative<Account>(found) ? 1 : 0;
      });
    }
  });
  if (known != (lookups + 1) / 2) std::printf("WRONG: %lu found\n", known);
  return time / static_cast<double>(lookups) * 1e6;
}

void passwd_file(const std::string& dir, uint64_t accounts) {
  const std::string path = dir + "/users";
  write_passwd_file(path, accounts);
  std::printf("file: %lu accounts, %lu MB\n", accounts,
              std::filesystem::file_size(path) / 1'000'000);
  PrintingLog log;
  SystemRandom random;
  PasswdFilePassdb passdb({"legacy", path, "CRYPT", true}, log, random);
  PasswdFilePassdb::Time now{std::chrono::seconds(1)};
  double work = 0;
  const double load = seconds_of([&] { work = cpu_seconds_of([&] { passdb.refresh(now); }); });
  std::printf("load: %.2f s, of them %.2f s work\n", load, work);
  std::printf("peak memory: %ld MB\n", peak_megabytes());
  std::printf("lookup: %.2f us\n", lookup_microseconds(passdb, accounts, 1'000'000));
  std::printf("look at an unchanged file: %.2f us\n",
              1e6 * seconds_of([&] { passdb.refresh(now); }));
  std::ofstream(path, std::ios::app) << "late@example.com:{PLAIN}x\n";
  double reload = 0;
  for (int i = 0; i < 4; ++i) {
    now += kPasswdFilePoll;
    reload = std::max(reload, seconds_of([&] { passdb.refresh(now); }));
  }
  std::printf("reload beside the old contents: %.2f s, peak memory %ld MB\n", reload,
              peak_megabytes());
}

void embedded(const std::string& dir, uint64_t accounts) {
  const std::string path = dir + "/import";
  write_passwd_file(path, accounts);
  SystemRandom random;
  {
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    auto store = UserStore::open(dir, random);
    if (!store) return (void)std::printf("WRONG: %s\n", store.error().message.c_str());
    std::printf("import: %.1f s\n", seconds_of([&] {
                  const auto done = (*store)->import(text, {}, {});
                  if (!done) std::printf("WRONG: %s\n", done.error().message.c_str());
                }));
  }
  std::printf("database: %lu MB\n", std::filesystem::file_size(dir + "/users.db") / 1'000'000);
  EmbeddedPassdb passdb("embedded", dir, random);
  std::printf("lookup: %.2f us\n", lookup_microseconds(passdb, accounts, 200'000));
  std::vector<std::thread> threads;
  const double together = seconds_of([&] {
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] { (void)lookup_microseconds(passdb, accounts, 100'000); });
    }
    for (std::thread& thread : threads) thread.join();
  });
  std::printf("four threads: %.0f lookups a second\n", 400'000 / together);
  std::printf("typical credential, first: %.0f us\n",
              1e6 * seconds_of([&] { (void)passdb.typical_credential(); }));
  std::printf("typical credential, again: %.1f us\n",
              1e6 * seconds_of([&] { (void)passdb.typical_credential(); }));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode != "passwd-file" && mode != "embedded") {
    std::fprintf(stderr, "usage: passdb_scale passwd-file|embedded [ACCOUNTS]\n");
    return 64;
  }
  const uint64_t accounts = argc > 2 ? strtoull(argv[2], nullptr, 10) : 1'000'000;
  std::string dir = std::filesystem::temp_directory_path().string() + "/passdb-scale-XXXXXX";
  if (accounts == 0 || mkdtemp(dir.data()) == nullptr) return 73;
  (mode == "embedded" ? embedded : passwd_file)(dir, accounts);
  std::filesystem::remove_all(dir);
  return 0;
}

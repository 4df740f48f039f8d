// passdb_scale: what a million accounts cost in either passdb. Prints one figure a line.
//
//   passdb_scale passwd-file [ACCOUNTS]   load time, memory, lookups, a reload
//   passdb_scale embedded [ACCOUNTS]      import time, file size, lookups of one and of four
//   threads
//   passdb_scale codes [CODES]            authorization codes, five an account: time, file size,
//   look-ups
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
#include "daemon/passdb/code_book.h"
#include "daemon/passdb/code_store.h"
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

// What single lookups of any account cost, in no order: half and 99 of 100 cost less.
void print_lookup_spread(Passdb& passdb, uint64_t accounts) {
  constexpr size_t kTimes = 100'000;
  std::vector<double> costs(kTimes);
  uint64_t number = 1;
  for (double& cost : costs) {
    number = (number * 6364136223846793005u + 1442695040888963407u);
    const std::string name = name_of((number >> 33) % accounts);
    cost = cpu_seconds_of([&] { passdb.find(name, [](const Lookup&) {}); }) * 1e6;
  }
  std::sort(costs.begin(), costs.end());
  std::printf("lookup of any account: p50 %.1f us, p99 %.1f us\n", costs[kTimes / 2],
              costs[kTimes / 100 * 99]);
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
    double work = 0;
    const double time = seconds_of([&] {
      work = cpu_seconds_of([&] {
        const auto done = (*store)->import(text, {}, {});
        if (!done) std::printf("WRONG: %s\n", done.error().message.c_str());
      });
    });
    std::printf("import: %.1f s, of them %.1f s work\n", time, work);
  }
  std::printf("database: %lu MB\n", std::filesystem::file_size(dir + "/users.db") / 1'000'000);
  EmbeddedPassdb passdb("embedded", dir, random);
  std::printf("start, to the first answer: %.1f ms\n", 1e3 * seconds_of([&] {
                                                         if (!passdb.prepare())
                                                           std::printf("WRONG: cannot be opened\n");
                                                         passdb.find(name_of(accounts / 2),
                                                                     [](const Lookup&) {});
                                                         (void)passdb.typical_credential();
                                                       }));
  std::printf("on disk: ");
  print_lookup_spread(passdb, accounts);
  const long before = peak_megabytes();
  std::printf("reading the accounts into memory: %.2f s", seconds_of([&] { passdb.refresh({}); }));
  std::printf(", peak memory %ld MB, %ld before\n", peak_megabytes(), before);
  std::printf("in memory: ");
  print_lookup_spread(passdb, accounts);
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

// CODES authorization codes, five an account; what a right and a wrong one cost to look up.
void measure_codes(const std::string& dir, uint64_t count) {
  constexpr size_t kEach = 5;
  SystemRandom random;
  auto store = CodeStore::open(dir, random);
  const auto now = std::chrono::system_clock::now();
  const size_t accounts = count / kEach;
  std::vector<std::pair<std::string, std::string>> sample;
  const auto batch_of = [](const std::string& account, size_t many) {
    std::vector<NewCode> batch(many);
    for (NewCode& code : batch) {
      code.account = account;
      code.label = "Telephone";
      code.created_by = "root";
      code.with_cram_md5 = true;
    }
    return batch;
  };
  const double made = seconds_of([&] {
    for (size_t begin = 0; begin < accounts; begin += 10000) {
      std::vector<NewCode> batch;
      for (size_t i = begin; i < std::min(begin + 10000, accounts); ++i) {
        auto codes = batch_of("user" + std::to_string(i), kEach);
        std::move(codes.begin(), codes.end(), std::back_inserter(batch));
      }
      const auto done = (*store)->add(batch, 25, now);
      for (size_t i = 0; done && i < done->size(); i += 997) {
        sample.emplace_back((*done)[i].account, std::string((*done)[i].code.reveal()));
      }
    }
  });
  std::printf("%zu codes made in %.1f s, users.db %.0f MB\n", count, made,
              static_cast<double>(std::filesystem::file_size(dir + "/users.db")) / 1e6);
  const CodeBook book(dir);
  const auto cost = [&](const char* what, const std::string& account, const std::string& text) {
    constexpr int kTimes = 20000;
    (void)book.find(account, ShownPassword{text}, now);
    const double took = cpu_seconds_of([&] {
      for (int i = 0; i < kTimes; ++i) (void)book.find(account, ShownPassword{text}, now);
    });
    std::printf("%s: %.2f us\n", what, took / kTimes * 1e6);
  };
  const double all = cpu_seconds_of([&] {
    for (const auto& [account, text] : sample) (void)book.find(account, ShownPassword{text}, now);
  });
  std::printf("right code of some account, each another: %.2f us\n",
              all / static_cast<double>(sample.size()) * 1e6);
  for (const size_t many : {size_t{1}, size_t{25}}) {
    const std::string account = "with" + std::to_string(many);
    const auto done = (*store)->add(batch_of(account, many), 25, now);
    const std::string label = std::to_string(many) + " codes";
    cost((label + ", right").c_str(), account, std::string(done->back().code.reveal()));
    cost((label + ", wrong").c_str(), account, "0000-0000-0000-0000");
    cost((label + ", no code").c_str(), account, "an ordinary password");
  }
  cost("no codes", "nobody", "an ordinary password");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode != "passwd-file" && mode != "embedded" && mode != "codes") {
    std::fprintf(stderr, "usage: passdb_scale passwd-file|embedded|codes [COUNT]\n");
    return 64;
  }
  const uint64_t accounts = argc > 2 ? strtoull(argv[2], nullptr, 10) : 1'000'000;
  std::string dir = std::filesystem::temp_directory_path().string() + "/passdb-scale-XXXXXX";
  if (accounts == 0 || mkdtemp(dir.data()) == nullptr) return 73;
  (mode == "codes" ? measure_codes : mode == "embedded" ? embedded : passwd_file)(dir, accounts);
  std::filesystem::remove_all(dir);
  return 0;
}

// Runs a fuzz target without libFuzzer: once over every file of its corpus, so that each past
// finding stays a test, and then over inputs derived from them for as long as it is told. Those are
// the same in each run, and a slow machine comes less far. Fails when the folder is missing or
// empty: then nothing was tested.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Longer than every bound we have on a line, so that the bounds are tried too.
constexpr size_t kMaxLength = 20000;

struct Seed {
  std::string name;
  std::string bytes;
};

std::vector<Seed> read_corpus(const std::filesystem::path& folder) {
  std::vector<Seed> corpus;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    corpus.push_back({entry.path().filename(), {std::istreambuf_iterator<char>(in), {}}});
  }
  std::sort(corpus.begin(), corpus.end(),
            [](const Seed& a, const Seed& b) { return a.name < b.name; });
  return corpus;
}

// One of the corpus with a few changes, of `number` alone.
std::string derived(const std::vector<Seed>& corpus, uint64_t number) {
  std::mt19937_64 random(number);
  const auto below = [&random](size_t bound) { return bound == 0 ? 0 : random() % bound; };
  constexpr const char* kNumbers[] = {"0",     "-1",         "255",
                                      "65536", "4294967296", "18446744073709551616"};
  std::string bytes = corpus[number % corpus.size()].bytes;
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(bytes.size() + 1);
    const size_t length = below(std::min<size_t>(bytes.size() - at, 64) + 1);
    switch (below(8)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(below(256));
        break;
      case 2:
        bytes.insert(at, 1 + below(4), static_cast<char>(below(256)));
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 5: {  // goes on as another one does
        const std::string& other = corpus[below(corpus.size())].bytes;
        bytes.replace(at, std::string::npos, other.substr(below(other.size() + 1)));
        break;
      }
      case 6:
        bytes.replace(at, length, kNumbers[below(std::size(kNumbers))]);
        break;
      default:
        bytes.insert(at, std::string(below(3000), bytes[at]));
        break;
    }
  }
  if (bytes.size() > kMaxLength) bytes.resize(kMaxLength);
  return bytes;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// `at` is the number of the input that is being tried: first the corpus, then those derived.
void try_all(const std::vector<Seed>& corpus, double seconds, std::atomic<uint64_t>& at) {
  const auto run = [](const std::string& bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  for (const Seed& seed : corpus) {
    run(seed.bytes);
    ++at;
  }
  const double until = cpu_seconds() + seconds;
  for (; cpu_seconds() < until; ++at) run(derived(corpus, at));
}

void tell_of(const std::vector<Seed>& corpus, uint64_t at) {
  if (at < corpus.size()) {
    std::printf("it was at %s\n", corpus[at].name.c_str());
    return;
  }
  const std::string file = "derived-" + std::to_string(at);
  std::ofstream(file, std::ios::binary) << derived(corpus, at);
  std::printf("it was at an input that now lies in %s: put it into the corpus, under a name\n",
              std::filesystem::absolute(file).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s CORPUS-FOLDER [CPU-SECONDS]\n", argv[0]);
    return 64;
  }
  const std::vector<Seed> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no inputs\n", argv[1]);
    return 1;
  }
  // Shared with the process that may not survive an input.
  void* const shared = mmap(nullptr, sizeof(std::atomic<uint64_t>), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 71;
  auto& at = *new (shared) std::atomic<uint64_t>(0);
  const pid_t child = fork();
  if (child < 0) return 71;
  if (child == 0) {
    try_all(corpus, argc == 3 ? std::atof(argv[2]) : 0, at);
    return 0;
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return 71;
  std::printf("%zu inputs of the corpus, %llu in all\n", corpus.size(),
              static_cast<unsigned long long>(at));
  if (status == 0) return 0;
  tell_of(corpus, at);
  return 1;
}

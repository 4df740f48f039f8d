#include "daemon/state/store.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <future>
#include <iterator>
#include <new>
#include <utility>

namespace saslatch::state {
namespace {

// While the file cannot be written, up to so much is kept to be written later. Beyond, the whole
// state is written instead: the engine has it, and it is bounded by max-subjects.
constexpr size_t kMaxHeldChanges = 10'000;
constexpr size_t kMaxHeldCounters = 100'000;
constexpr std::chrono::minutes kComplainEvery(1);

}  // namespace

Store::Store(Log& log, Clock clock) : log_(log), clock_(std::move(clock)) {}

void Store::open(const std::string& directory, Random& random) {
  path_ = directory + "/state.db";
  random.fill(key_);
  if (!open_file()) {
    auto reader = StateFile::open_for_reading(path_);
    if (reader) reader_ = std::move(*reader);
  }
  StateFile* const source = file_ ? file_.get() : reader_.get();
  if (source == nullptr) return;
  const auto key = source->key();
  if (key && *key) {
    key_ = **key;
    is_whole_ = file_ != nullptr;
  } else if (!key && key.error().trouble == StateFile::Trouble::kDamaged && file_) {
    (void)(move_aside(key.error().reason) && open_file());
  }
}

Store::~Store() { stop(); }

void Store::use_key(const policy::HashKey& key) {
  if (key == key_) return;
  is_foreign_ = is_whole_ || reader_ != nullptr;
  key_ = key;
  is_whole_ = false;
  if (is_foreign_)
    log_.warning("state-key-changed", "locks and counters kept under another key are dropped",
                 {{"path", path_}});
}

// Opens the file for writing; a damaged one makes room for a new one.
bool Store::open_file() {
  auto file = StateFile::open(path_);
  if (!file && file.error().trouble == StateFile::Trouble::kDamaged &&
      move_aside(file.error().reason))
    file = StateFile::open(path_);
  if (!file) {
    complain(file.error().reason);
    return false;
  }
  file_ = std::move(*file);
  // Another file than the one that was written so far, or a new one, holds nothing of ours.
  const auto key = file_->key();
  if (!key || *key != key_) is_whole_ = false;
  return true;
}

bool Store::move_aside(const std::string& reason) {
  file_.reset();
  is_whole_ = false;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(clock_().time_since_epoch()).count();
  const std::string aside = path_ + ".damaged-" + std::to_string(seconds);
  if (std::rename(path_.c_str(), aside.c_str()) != 0) {
    complain(reason + ", and it cannot be moved aside: " + std::strerror(errno));
    return false;
  }
  (void)std::rename((path_ + "-wal").c_str(), (aside + "-wal").c_str());
  (void)unlink((path_ + "-shm").c_str());
  log_.error("state-damaged", "the file of locks and counters was damaged and is moved aside",
             {{"path", path_}, {"moved_to", aside}, {"reason", reason}});
  return true;
}

void Store::complain(const std::string& reason) {
  const policy::Time now = clock_();
  {
    const std::lock_guard guard(mutex_);
    if (health_.is_writable) health_.since = now;
    health_.is_writable = false;
    health_.reason = reason;
  }
  is_failing_ = true;
  if (complained_ && now - *complained_ < kComplainEvery && now >= *complained_) return;
  complained_ = now;
  constexpr std::string_view kText = "locks and counters are kept in memory only";
  try {
    log_.error("state-unwritable", kText, {{"path", path_}, {"reason", reason}});
  } catch (const std::bad_alloc&) {
    log_.error("state-unwritable", kText);
  }
}

void Store::restore(policy::Engine& engine) {
  StateFile* const source = file_ ? file_.get() : reader_.get();
  if (source == nullptr) return;
  if (is_foreign_) return reader_.reset();
  const policy::Time now = clock_();
  const auto failure = source->load(
      [&](const policy::Change& change) { return engine.restore(change, now); },
      [&](const policy::CounterRecord& record) { return engine.restore(record, now); });
  reader_.reset();
  if (!failure || !file_) return;
  // What was read before the damage is in the engine, and goes into the new file.
  if (failure->trouble == StateFile::Trouble::kDamaged) {
    (void)(move_aside(failure->reason) && open_file());
  } else {
    complain(failure->reason);
    file_.reset();
    is_whole_ = false;
  }
}

void Store::start(policy::Engine& engine) {
  engine_ = &engine;
  const std::lock_guard guard(mutex_);
  is_running_ = true;
  thread_ = std::thread([this] { run(); });
}

void Store::stop() {
  {
    const std::lock_guard guard(mutex_);
    stops_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

uint64_t Store::append(const policy::Change& change) {
  const std::lock_guard guard(mutex_);
  if (stops_) return ++appended_;
  try {
    queue_.push_back(change);
  } catch (const std::bad_alloc&) {
    is_short_ = true;
  }
  if (queue_.size() <= 1) wake_.notify_one();
  return ++appended_;
}

uint64_t Store::append_unsaid() {
  const std::lock_guard guard(mutex_);
  is_short_ = true;
  wake_.notify_one();
  return ++appended_;
}

uint64_t Store::appended() const {
  const std::lock_guard guard(mutex_);
  return appended_;
}

void Store::when_flushed(uint64_t number, std::function<void()> then) {
  {
    const std::lock_guard guard(mutex_);
    if (is_running_ && flushed_ < number) {
      waiting_.push_back({number, std::move(then)});
      return;
    }
  }
  then();
}

void Store::wait_flushed(uint64_t number) {
  std::promise<void> flushed;
  when_flushed(number, [&] { flushed.set_value(); });
  flushed.get_future().wait();
}

Store::Health Store::health() const {
  const std::lock_guard guard(mutex_);
  Health health = health_;
  health.unsaved = queue_.size() + held_back_;
  return health;
}

void Store::run() {
  auto next_save = std::chrono::steady_clock::now() + kSaveEvery;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_until(lock, next_save, [&] { return stops_ || !queue_.empty() || is_short_; });
    const bool ends = stops_;
    const uint64_t number = appended_;
    std::vector<policy::Change> queue;
    queue.swap(queue_);
    const bool is_short = std::exchange(is_short_, false);
    lock.unlock();
    take(std::move(queue), is_short);
    const bool is_due = std::chrono::steady_clock::now() >= next_save || ends;
    if (is_due) next_save = std::chrono::steady_clock::now() + kSaveEvery;
    // In trouble, answers do not wait for one more try.
    if (is_due || !is_failing_) save_if_it_can(is_due);
    finish(number);
    lock.lock();
    if (!ends) continue;
    is_running_ = false;
    break;
  }
  lock.unlock();
  close_file();
  finish(UINT64_MAX);
}

void Store::take(std::vector<policy::Change> queue, bool is_short) {
  try {
    if (changes_.empty()) {
      changes_.swap(queue);
    } else {
      changes_.insert(changes_.end(), std::make_move_iterator(queue.begin()),
                      std::make_move_iterator(queue.end()));
    }
  } catch (const std::bad_alloc&) {
    is_short = true;
  }
  // The engine has what is missing here: the whole state is written instead.
  if (is_short) is_whole_ = false;
}

// Lack of memory is trouble like a full disk: told, and over when it is over.
void Store::save_if_it_can(bool with_counters) {
  try {
    return save(with_counters);
  } catch (const std::bad_alloc&) {
    is_whole_ = false;
  }
  complain("out of memory");
}

// Tells whoever waits for changes up to `number`.
void Store::finish(uint64_t number) {
  std::vector<Waiting> done;
  try {
    done = take_waiting(number);
  } catch (const std::bad_alloc&) {
    return;  // the next round finds them
  }
  for (const Waiting& waiting : done) {
    try {
      waiting.then();
    } catch (const std::bad_alloc&) {
      // His client asks again.
    }
  }
}

std::vector<Store::Waiting> Store::take_waiting(uint64_t number) {
  std::vector<Waiting> done;
  {
    const std::lock_guard guard(mutex_);
    if (number != UINT64_MAX) flushed_ = number;
    held_back_ = changes_.size();
    const auto first_done =
        std::stable_partition(waiting_.begin(), waiting_.end(),
                              [&](const Waiting& waiting) { return waiting.number > number; });
    done.reserve(static_cast<size_t>(waiting_.end() - first_done));
    std::move(first_done, waiting_.end(), std::back_inserter(done));
    waiting_.erase(first_done, waiting_.end());
  }
  return done;
}

void Store::save(bool with_counters) {
  if (with_counters)
    for (auto& record : engine_->take_changed_counters())
      counters_[record.key] = std::move(record.bytes);
  std::optional<StateFile::Failure> failure;
  if (file_ || open_file()) failure = write();
  if (failure && failure->trouble == StateFile::Trouble::kDamaged) {
    if (move_aside(failure->reason) && open_file()) failure = write();
  }
  if (file_ && !failure) {
    changes_.clear();
    counters_.clear();
    if (!std::exchange(is_failing_, false)) return;
    complained_.reset();
    {
      const std::lock_guard guard(mutex_);
      health_ = Health{};
      held_back_ = 0;
    }
    log_.info("state-writable", "locks and counters are written again", {{"path", path_}});
    return;
  }
  if (failure) complain(failure->reason);
  file_.reset();
  if (changes_.size() <= kMaxHeldChanges && counters_.size() <= kMaxHeldCounters) return;
  is_whole_ = false;
  changes_.clear();
  counters_.clear();
}

// SQLite believes the pages that it remembers. What became of the file beneath them, the next start
// would find out, when nobody has the state in memory any more.
void Store::close_file() {
  if (!file_) return;
  file_.reset();
  const auto failure = StateFile::check(path_);
  if (failure && failure->trouble == StateFile::Trouble::kDamaged && move_aside(failure->reason) &&
      open_file())
    (void)write();
  file_.reset();
}

std::optional<StateFile::Failure> Store::write() {
  if (!is_whole_) {
    engine_->touch_counters();
    auto failure =
        file_->replace(key_, engine_->durable_state(clock_()), engine_->take_changed_counters());
    is_whole_ = !failure;
    return failure;
  }
  std::vector<policy::CounterRecord> counters;
  counters.reserve(counters_.size());
  for (const auto& [key, bytes] : counters_) counters.push_back({key, bytes});
  if (changes_.empty() && counters.empty() && !file_->has_unwanted()) return std::nullopt;
  return file_->commit(changes_, counters);
}

}  // namespace saslatch::state

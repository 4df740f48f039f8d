#include "daemon/passdb_chain.h"

#include <algorithm>
#include <string>
#include <utility>

#include "daemon/config/secret_files.h"
#include "daemon/passdb/drivers/make_passdb.h"

namespace saslatch {
namespace {

bool is_among(const PassdbChain::Passdbs& passdbs, const std::shared_ptr<passdb::Passdb>& one) {
  return std::find(passdbs.begin(), passdbs.end(), one) != passdbs.end();
}

}  // namespace

std::shared_ptr<passdb::Passdb> PassdbChain::Set::kept(const config::PassdbConfig& wanted,
                                                       const Set& next) const {
  const auto found = std::find(configs.begin(), configs.end(), wanted);
  if (found == configs.end() || lowercase != next.lowercase || max_hold != next.max_hold) return {};
  const auto& old = chain[static_cast<size_t>(found - configs.begin())];
  return is_among(missing, old) ? nullptr : old;
}

PassdbChain::Set PassdbChain::make(const config::Config& config) const {
  const Set old = in_force();
  Set set;
  set.configs = config.passdb;
  set.lowercase = config.usernames.lowercase;
  set.max_hold = config.policy.max_hold;
  const passdb::PassdbPlaces places{config.daemon.state_dir, config.daemon.module_dir};
  const passdb::PassdbParts parts{
      log_,         random_,       [this] { return clock_.read().mono; },
      set.max_hold, set.lowercase, config::read_password_file};
  for (const config::PassdbConfig& wanted : config.passdb) {
    std::shared_ptr<passdb::Passdb> made = old.kept(wanted, set);
    if (!made) {
      auto fresh = passdb::make_passdb(wanted, places, parts);
      if (fresh) {
        made = *std::move(fresh);
      } else {
        made = passdb::make_missing_passdb(wanted, fresh.error().message);
        set.missing.push_back(made);
      }
    }
    if (auto file = std::dynamic_pointer_cast<passdb::PasswdFilePassdb>(made)) {
      set.files.push_back(std::move(file));
    } else if (auto embedded = std::dynamic_pointer_cast<passdb::EmbeddedPassdb>(made)) {
      set.embedded.push_back(std::move(embedded));
    }
    set.chain.push_back(std::move(made));
  }
  return set;
}

void PassdbChain::configure(const config::Config& config) {
  Set next = make(config);
  const std::lock_guard lock(mutex_);
  for (auto& passdb : set_.chain) {
    if (!is_among(next.chain, passdb)) retired_.push_back(std::move(passdb));
  }
  set_ = std::move(next);
}

void PassdbChain::load(passdb::CodeBook& codes, Mono now) {
  const Set set = in_force();
  (void)codes.refresh();  // before the first login, and again once it is upgraded
  for (const auto& file : set.files) file->refresh(now);
  for (const auto& embedded : set.embedded) {
    (void)embedded->prepare();  // status() below tells what is wrong
    (void)codes.refresh();
  }
  for (const auto& passdb : set.chain) {
    if (const passdb::PassdbStatus status = passdb->status(); !status.available) {
      log_.error("passdb-down", "a passdb cannot be used; its users get a temporary failure",
                 {{"passdb", std::string(passdb->name())}, {"error", status.reason}});
    }
  }
}

PassdbChain::Set PassdbChain::in_force() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

PassdbChain::Passdbs PassdbChain::passdbs() const {
  const std::lock_guard lock(mutex_);
  return set_.chain;
}

void PassdbChain::refresh_files(Mono now) {
  for (const auto& file : in_force().files) file->refresh(now);
}

void PassdbChain::refresh_databases(Mono now) {
  for (const auto& database : in_force().embedded) database->refresh(now);
}

void PassdbChain::end_retired() {
  Passdbs unused;
  {
    const std::lock_guard lock(mutex_);
    for (auto& passdb : retired_) {
      if (passdb.use_count() == 1) unused.push_back(std::move(passdb));
    }
    std::erase(retired_, nullptr);
  }
  for (const auto& passdb : unused) passdb->stop();
}

void PassdbChain::stop() {
  Passdbs all = passdbs();
  {
    const std::lock_guard lock(mutex_);
    all.insert(all.end(), retired_.begin(), retired_.end());
  }
  for (const auto& passdb : all) passdb->stop();
}

}  // namespace saslatch

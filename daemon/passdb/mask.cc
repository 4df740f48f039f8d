#include "daemon/passdb/mask.h"

namespace saslatch::passdb {

bool matches_mask(std::string_view mask, std::string_view name) {
  size_t m = 0;
  size_t n = 0;
  // The last `*` seen and how much of the name it has taken: only that one ever needs to take more.
  size_t star = std::string_view::npos;
  size_t taken = 0;
  while (n < name.size()) {
    if (m < mask.size() && mask[m] == '*') {
      star = m++;
      taken = n;
    } else if (m < mask.size() &&
               (mask[m] == '?' || ascii_lower(mask[m]) == ascii_lower(name[n]))) {
      ++m;
      ++n;
    } else if (star != std::string_view::npos) {
      m = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (m < mask.size() && mask[m] == '*') ++m;
  return m == mask.size();
}

}  // namespace saslatch::passdb

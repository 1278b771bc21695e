#include "codegen/target/nvidia/hopper/TokenTiles.h"

using namespace moec::hopper;

Int TokenTiles::getLength(const Int &token) const { return loadInt(positions.at(token, 4)) + 1; }
Int TokenTiles::getSequence(const Int &token) const { return loadInt(sequences.at(token, 4)); }

Bool TokenTiles::isFirst(const Int &token) const {
  if (most == 1)
    return token == token;
  Int before = token - min(token, Int(*b, 1)); // of token 0 itself, which begins a window
  return ((token & (most - 1)) == 0) | (getSequence(before) != getSequence(token));
}

TokenTiles::Tile TokenTiles::get(const Int &token) const {
  Int length = getLength(token);
  Tile tile{Int(*b, 1), length, length};
  if (most == 1)
    return tile;
  Int sequence = getSequence(token), last = tokens - 1;
  Bool belongs = token == token;
  for (int64_t i = 1; i < most; ++i) {
    Int other = min(token + i, last);
    belongs = belongs & (((token + i) & (most - 1)) >= i) & (token + i < tokens) &
              (getSequence(other) == sequence);
    Int otherLength = getLength(other);
    tile.count = tile.count + toInt(belongs);
    tile.longest = select(belongs, max(tile.longest, otherLength), tile.longest);
    tile.shortest = select(belongs, min(tile.shortest, otherLength), tile.shortest);
  }
  return tile;
}

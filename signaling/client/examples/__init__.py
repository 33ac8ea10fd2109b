"""Programs that listen to a room by taps, to begin from: live captions, and who speaks."""

"""The cases that judge SDKs, by what they are about."""

mod pages;
mod stream;
